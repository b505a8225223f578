//! Each overlay of `scenarios/overlays` differs from `stack/config` in its one intended point and in nothing else:
//! what the overlay changes is put back, and the rest must be equal.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use firedrill_rulebook::{ConfigFolder, PrometheusConfig};
use serde_yaml::Value;

const OVERLAYS: [(&str, &str); 12] = [
    ("answers-dropped", "prometheus.yml"),
    ("fault-switch-inert", "firedrill.yaml"),
    ("inhibition-removed", "alertmanager.yml"),
    ("noisy-rule", "rules/monitoring.yml"),
    ("planted-gauge", "rules/monitoring.yml"),
    ("receiver-down", "alertmanager.yml"),
    ("route-muted", "alertmanager.yml"),
    ("rule-deleted", "rules/services.yml"),
    ("rule-that-fails", "rules/monitoring.yml"),
    ("start-time-dropped", "prometheus.yml"),
    ("threshold-99", "rules/services.yml"),
    ("user-scrape-removed", "prometheus.yml"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn tree(folder: &str, file: &str) -> Value {
    let folder = ConfigFolder::from_dir(&root().join(folder)).unwrap();
    serde_yaml::from_str(folder.text(file).unwrap()).unwrap()
}

/// Deployed and overlaid file.
fn both(overlay: &str) -> (Value, Value) {
    let (_, file) = OVERLAYS.iter().find(|(name, _)| *name == overlay).unwrap();
    (tree("stack/config", file), tree(&format!("scenarios/overlays/{overlay}"), file))
}

fn sequence<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut Vec<Value> {
    let mut value = value;
    for key in path {
        value = match key.parse::<usize>() {
            Ok(index) => &mut value[index],
            Err(_) => &mut value[*key],
        };
    }
    value.as_sequence_mut().unwrap()
}

fn index_of(items: &[Value], key: &str, name: &str) -> usize {
    items.iter().position(|item| item.get(key).and_then(Value::as_str) == Some(name)).unwrap()
}

#[test]
fn each_overlay_holds_the_one_file_it_replaces_and_every_overlay_is_listed() {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("scenarios/overlays")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let folder = ConfigFolder::from_dir(&path).unwrap();
            let files: Vec<_> = folder.files.into_keys().collect();
            assert_eq!(files.len(), 1, "{}: {files:?}", path.display());
            found.insert((path.file_name().unwrap().to_string_lossy().into_owned(), files[0].clone()));
        }
    }
    let listed = OVERLAYS.iter().map(|(name, file)| ((*name).to_owned(), (*file).to_owned())).collect();
    assert_eq!(found, listed);
}

#[test]
fn rule_deleted_lacks_one_rule() {
    let (deployed, mut overlaid) = both("rule-deleted");
    let mut whole = deployed.clone();
    let rules = sequence(&mut whole, &["groups", "0", "rules"]);
    let index = index_of(rules, "alert", "HighErrorRate");
    let rule = rules[index].clone();
    sequence(&mut overlaid, &["groups", "0", "rules"]).insert(index, rule);
    assert_eq!(overlaid, deployed);
}

#[test]
fn threshold_99_differs_in_one_number() {
    let (deployed, mut overlaid) = both("threshold-99");
    let rules = sequence(&mut overlaid, &["groups", "0", "rules"]);
    let index = index_of(rules, "alert", "HighErrorRate");
    let expr = rules[index]["expr"].as_str().unwrap().to_owned();
    assert!(expr.ends_with("> 0.99"), "{expr}");
    rules[index]["expr"] = expr.replace("> 0.99", "> 0.05").into();
    assert_eq!(overlaid, deployed);
}

#[test]
fn route_muted_mutes_the_critical_route_at_all_times() {
    let config = ConfigFolder::from_dir(&root().join("scenarios/overlays/route-muted"))
        .unwrap()
        .alertmanager()
        .unwrap();
    let critical = [("severity".to_owned(), "critical".to_owned())].into();
    assert_eq!(config.routes_for(&critical)[0].mute_time_intervals, ["always"]);
    assert!(config.is_always("always"));

    let (deployed, mut overlaid) = both("route-muted");
    overlaid.as_mapping_mut().unwrap().remove("time_intervals").unwrap();
    let muted = &mut sequence(&mut overlaid, &["route", "routes"])[1];
    muted.as_mapping_mut().unwrap().remove("mute_time_intervals").unwrap();
    assert_eq!(overlaid, deployed);
}

#[test]
fn receiver_down_differs_in_one_address() {
    let (deployed, mut overlaid) = both("receiver-down");
    let url = &mut overlaid["receivers"][0]["webhook_configs"][0]["url"];
    assert_eq!(url.as_str(), Some("http://127.0.0.1:9/webhook/alertmanager"));
    *url = "http://notification:3004/webhook/alertmanager".into();
    assert_eq!(overlaid, deployed);
}

#[test]
fn user_scrape_removed_lacks_one_target() {
    let (deployed, mut overlaid) = both("user-scrape-removed");
    let config = PrometheusConfig::parse(&serde_yaml::to_string(&overlaid).unwrap()).unwrap();
    assert!(config.jobs.iter().flat_map(|job| &job.targets).all(|target| target.address != "user:3002"));
    let user = deployed["scrape_configs"][0]["static_configs"][2].clone();
    sequence(&mut overlaid, &["scrape_configs", "0", "static_configs"]).insert(2, user);
    assert_eq!(overlaid, deployed);
}

#[test]
fn fault_switch_inert_adds_one_variable() {
    let (deployed, mut overlaid) = both("fault-switch-inert");
    let environment = overlaid["services"]["environment"].as_mapping_mut().unwrap();
    assert_eq!(environment.remove("FAULTS_INERT"), Some(Value::from("1")));
    assert_eq!(overlaid, deployed);
}

#[test]
fn answers_dropped_and_start_time_dropped_add_one_relabelling() {
    for (overlay, regex) in [
        ("answers-dropped", "http_requests_total;user;200"),
        ("start-time-dropped", "process_start_time_seconds;user"),
    ] {
        let (deployed, mut overlaid) = both(overlay);
        let job = overlaid["scrape_configs"][0].as_mapping_mut().unwrap();
        let added = job.remove("metric_relabel_configs").unwrap();
        assert_eq!(added.as_sequence().unwrap().len(), 1, "{overlay}");
        assert_eq!(added[0]["regex"].as_str(), Some(regex));
        assert_eq!(added[0]["action"].as_str(), Some("drop"));
        assert_eq!(overlaid, deployed, "{overlay}");
    }
}

#[test]
fn noisy_rule_planted_gauge_and_rule_that_fails_add_one_rule() {
    for overlay in ["noisy-rule", "planted-gauge", "rule-that-fails"] {
        let (deployed, mut overlaid) = both(overlay);
        assert!(sequence(&mut overlaid, &["groups", "0", "rules"]).pop().is_some());
        assert_eq!(overlaid, deployed, "{overlay}");
    }
}

#[test]
fn inhibition_removed_lacks_what_service_down_inhibits() {
    let (deployed, mut overlaid) = both("inhibition-removed");
    let rule = deployed["inhibit_rules"][0].clone();
    assert_eq!(rule["source_matchers"][0].as_str(), Some("alertname=\"ServiceDown\""));
    sequence(&mut overlaid, &["inhibit_rules"]).insert(0, rule);
    assert_eq!(overlaid, deployed);
}
