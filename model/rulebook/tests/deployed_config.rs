//! `stack/config`, as it is, compressed and wired, in the eyes of the real `promtool` and `amtool`. They are needed:
//! without them these tests fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use firedrill_rulebook::{
    Analysis, ChangeClass, ConfigFolder, HarnessWiring, RecordingRules, Rule, RulePosition, Shape, Wiring,
    analyse, compress, largest_speed, longest_history, wire,
};

fn deployed() -> ConfigFolder {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stack/config");
    ConfigFolder::from_dir(&folder).unwrap()
}

fn wiring() -> Wiring {
    let names = ["gateway:3000", "auth:3001", "user:3002", "chat:3003", "notification:3004"];
    let others = ["node-exporter:9100", "redis-exporter:9121", "prometheus:9090", "alertmanager:9093"];
    let addresses: BTreeMap<_, _> = names
        .iter()
        .chain(&others)
        .enumerate()
        .map(|(index, name)| ((*name).to_owned(), format!("127.0.0.1:{}", 20_000 + index)))
        .collect();
    let harness = HarnessWiring {
        metrics_address: "127.0.0.1:20100".to_owned(),
        witness_url: "http://127.0.0.1:20101/witness".to_owned(),
    };
    Wiring { addresses, harness: Some(harness), run_label: true }
}

fn compressed_and_wired() -> ConfigFolder {
    wire(&compress(&deployed(), 60).unwrap().folder, &wiring()).unwrap().0
}

/// The first of the tool's names that can be started.
fn tool(names: &[&str]) -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin");
    let candidates = names.iter().flat_map(|name| [tools.join(name), PathBuf::from(name)]);
    candidates
        .into_iter()
        .find(|candidate| Command::new(candidate).arg("--version").output().is_ok())
        .unwrap_or_else(|| panic!("{names:?} is neither on PATH nor in .tools/bin"))
}

#[track_caller]
fn assert_accepted(tool: &Path, arguments: &[&str], folder: &Path) {
    let output = Command::new(tool).args(arguments).current_dir(folder).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}

#[track_caller]
fn assert_valid(config: &ConfigFolder) {
    let folder = tempfile::tempdir().unwrap();
    config.write_to(folder.path()).unwrap();
    let promtool = tool(&["promtool"]);
    assert_accepted(&promtool, &["check", "config", "prometheus.yml"], folder.path());
    for path in config.files.keys().filter(|path| path.starts_with("rules/")) {
        assert_accepted(&promtool, &["check", "rules", path], folder.path());
    }
    assert_accepted(&tool(&["amtool"]), &["check-config", "alertmanager.yml"], folder.path());
}

#[test]
fn the_monitors_accept_the_deployed_configuration() {
    assert_valid(&deployed());
}

#[test]
fn the_monitors_accept_it_under_every_overlay() {
    let overlays = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/overlays");
    let folders = std::fs::read_dir(overlays).unwrap().map(|entry| entry.unwrap().path());
    for folder in folders.filter(|path| path.is_dir()) {
        let config = deployed().overlay(&ConfigFolder::from_dir(&folder).unwrap());
        config.firedrill().unwrap();
        assert_valid(&config);
        assert_valid(&wire(&compress(&config, 60).unwrap().folder, &wiring()).unwrap().0);
    }
}

#[test]
fn the_monitors_accept_it_compressed_at_every_kind_of_factor() {
    for speed in [2, 7, 15, 60] {
        assert_valid(&compress(&deployed(), speed).unwrap().folder);
    }
}

#[test]
fn the_monitors_accept_it_wired() {
    assert_valid(&wire(&deployed(), &wiring()).unwrap().0);
    assert_valid(&compressed_and_wired());
}

#[test]
fn the_monitors_accept_compressed_rules_of_every_shape() {
    let expressions = [
        "increase(a_total[5m] offset 1h) > 3",
        "predict_linear(g[1h], 4 * 3600) < 0",
        "max_over_time(sum by (s) (rate(a_total[5m]))[1h:90s] offset 7m) > 1",
        r#"label_replace(deriv(g[10m]), "x", "$1", "y", "a\\.(.*)") unless on (s) group_x == 1"#,
        "sum without (a) (a_total) / ignoring (b) group_left (c) b_total ^ 2 > bool 1e-9",
        "quantile_over_time(0.9, g[1h40s]) != -Inf",
        "absent_over_time(g[5m:]) or vector(1)",
        "avg_over_time(g[101s]) > 0",
    ];
    let rules: String = expressions.iter().enumerate().fold(
        "groups:\n- name: g\n  rules:\n".to_owned(),
        |text, (index, expr)| {
            text + &format!(
                "  - alert: A{index}\n    for: 100s\n    keep_firing_for: 0s\n    expr: '{expr}'\n"
            )
        },
    );
    // Prometheus 2.42 is the first with keep_firing_for.
    let config = deployed().overlay(&ConfigFolder::from_files([("rules/all.yml", rules)]));
    for speed in [7, 60] {
        let compressed = compress(&config, speed).unwrap();
        assert!(compressed.left_out().is_empty(), "{:?}", compressed.left_out());
        assert_valid(&compressed.folder);
    }
}

#[test]
fn the_deployed_configuration_compresses_whole_and_only_two_durations_give_way() {
    assert_eq!(largest_speed(&deployed()), Ok(60));
    let compressed = compress(&deployed(), 60).unwrap();
    assert!(compressed.left_out().is_empty(), "{:?}", compressed.left_out());
    let inexact: Vec<_> = compressed
        .changes
        .iter()
        .filter(|change| change.class != ChangeClass::Exact)
        .map(|change| (change.what.as_str(), change.from.as_str(), change.to.as_str(), change.class))
        .collect();
    assert_eq!(
        inexact,
        [
            ("global.scrape_timeout", "10s", "250ms", ChangeClass::Adjusted),
            ("route.routes[1].group_wait", "10s", "167ms", ChangeClass::Adjusted),
        ]
    );
}

#[test]
fn compressed_by_sixty_and_wired_it_reads() {
    let config = compressed_and_wired();
    insta::assert_snapshot!("prometheus", config.files["prometheus.yml"]);
    insta::assert_snapshot!("alertmanager", config.files["alertmanager.yml"]);
    insta::assert_snapshot!("services_rules", config.files["rules/services.yml"]);
    assert_eq!(config.files["firedrill.yaml"], deployed().files["firedrill.yaml"]);
}

#[test]
fn every_alert_has_a_shape_that_is_known() {
    let loaded = deployed().rules().unwrap();
    let recording = RecordingRules::of(&loaded).unwrap();
    let mut shapes = Vec::new();
    for (path, group, rule) in loaded.iter() {
        let Rule::Alerting(alert) = rule else { continue };
        let index = group.rules.iter().position(|other| other == rule).unwrap();
        let at = RulePosition { file: path.to_owned(), group: group.name.clone(), index };
        let Analysis { shape, recorded } = analyse(&alert.expr, &recording, Some(&at)).unwrap();
        assert!(recorded.iter().all(|step| step.same_evaluation), "{}", alert.name);
        let kind = match shape {
            Shape::Ratio { .. } => "ratio",
            Shape::Gauge { .. } => "gauge",
            Shape::RateThreshold { .. } => "rate",
            Shape::Quantile { .. } => "quantile",
            Shape::Constant { fires: true } => "always",
            other => panic!("{}: {other:?}", alert.name),
        };
        let history = longest_history(&alert.expr, &recording).unwrap().as_secs();
        shapes.push((alert.name.clone(), kind, history, recorded.len()));
    }
    let seen: Vec<_> =
        shapes.iter().map(|(name, kind, history, depth)| (name.as_str(), *kind, *history, *depth)).collect();
    assert_eq!(
        seen,
        [
            ("HighCpuUsage", "rate", 300, 0),
            ("Watchdog", "always", 0, 0),
            ("RedisDown", "gauge", 0, 0),
            ("ServiceDown", "gauge", 0, 0),
            ("HighErrorRate", "ratio", 300, 1),
            ("HighLatency", "quantile", 300, 1),
        ]
    );
}

#[test]
fn critical_alerts_are_routed_fast_and_inhibit_their_consequences() {
    let config = deployed().alertmanager().unwrap();
    let labels = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>()
    };
    let errors = labels(&[("alertname", "HighErrorRate"), ("severity", "critical"), ("service", "user")]);
    let route = &config.routes_for(&errors)[0];
    assert_eq!((route.receiver.as_str(), route.group_wait.as_secs()), ("notification-service", 10));
    assert_eq!(route.repeat_interval.as_secs(), 3600);

    let down = labels(&[("alertname", "ServiceDown"), ("severity", "critical"), ("service", "user")]);
    assert_eq!(config.inhibited_by(&errors, [&down]).len(), 1);
    let elsewhere = labels(&[("alertname", "ServiceDown"), ("severity", "critical"), ("service", "auth")]);
    assert!(config.inhibited_by(&errors, [&elsewhere]).is_empty());

    let watchdog = labels(&[("alertname", "Watchdog"), ("severity", "none")]);
    let receiver = &config.routes_for(&watchdog)[0].receiver;
    assert!(config.receiver(receiver).unwrap().webhooks.is_empty());
}
