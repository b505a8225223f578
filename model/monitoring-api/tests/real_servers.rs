//! Every call once against the real binaries, which must be installed.

mod running;

use std::time::Duration;

use firedrill_monitoring_api::alertmanager::{
    AlertFilter, Matcher, PostableSilence, SilenceState, SuppressionState,
};
use firedrill_monitoring_api::prometheus::{AlertState, QueryValue, Rule, RuleHealth, TargetHealth};
use firedrill_monitoring_api::{Alertmanager, ApiError, Prometheus};
use jiff::{Timestamp, ToSpan};
use running::{Running, until};

const ALERTMANAGER_CONFIG: &str = "\
route: {receiver: nobody, group_by: [alertname], group_wait: 0s}
receivers: [{name: nobody}]
";

const RULES: &str = "\
groups:
- name: constants
  interval: 100ms
  rules:
  - {record: constant:one, expr: vector(1), labels: {origin: test}}
  - {record: constant:nan, expr: vector(0) / 0}
  - {record: constant:inf, expr: vector(1) / 0}
  - {alert: AlwaysFiring, expr: vector(1), labels: {severity: none}, annotations: {summary: always}}
  - {alert: AlwaysPending, expr: vector(7), for: 1h}
";

async fn start_alertmanager() -> (Running, Alertmanager) {
    let running = Running::start(
        &["prometheus-alertmanager", "alertmanager"],
        &[("alertmanager.yml", ALERTMANAGER_CONFIG)],
        &["--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address="],
    )
    .await;
    let client = Alertmanager::new(running.address()).expect("it is a plain address");
    (running, client)
}

async fn start_prometheus(alertmanager: &Alertmanager) -> (Running, Prometheus) {
    let target = alertmanager.base().authority();
    let config = format!(
        "global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 100ms}}\n\
         rule_files: [rules.yml]\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{target}']}}]}}]}}\n\
         scrape_configs: [{{job_name: alertmanager, static_configs: [{{targets: ['{target}']}}]}}]\n"
    );
    let running = Running::start(
        &["prometheus"],
        &[("prometheus.yml", &config), ("rules.yml", RULES)],
        &["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.enable-lifecycle"],
    )
    .await;
    let client = Prometheus::new(running.address()).expect("it is a plain address");
    (running, client)
}

#[tokio::test]
async fn every_call_of_the_prometheus_client_reads_a_real_server() {
    let (_alertmanager, alertmanager) = start_alertmanager().await;
    let (server, client) = start_prometheus(&alertmanager).await;
    until("prometheus is ready", async || client.ready().await.is_ok()).await;

    let build = client.build_info().await.unwrap();
    assert!(build.parsed.version.contains('.') && build.raw.contains(&build.parsed.version));
    assert!(client.config_yaml().await.unwrap().parsed.yaml.contains("job_name: alertmanager"));
    let flags = client.flags().await.unwrap().parsed;
    assert_eq!(flags.get("web.enable-lifecycle").map(String::as_str), Some("true"));
    let runtime = client.runtime_info().await.unwrap().parsed;
    assert!(runtime.reload_config_success && runtime.last_config_time.is_some());
    let metrics = client.metrics_text().await.unwrap();
    assert!(metrics.parsed.content_type.starts_with("text/plain; version=0.0.4"));
    assert!(metrics.raw.contains("\nprometheus_build_info{"));

    reads_rules_and_alerts(&client).await;
    reads_values(&client).await;
    reads_targets(&client, &alertmanager).await;
    let reload = client.reload().await.unwrap();
    assert_eq!(reload.raw, "");
    server.write("rules.yml", "groups: {");
    assert!(matches!(client.reload().await.unwrap_err(), ApiError::Status { status: 500, .. }));
    assert!(!client.runtime_info().await.unwrap().parsed.reload_config_success);
}

async fn reads_rules_and_alerts(client: &Prometheus) {
    until("both alerts are active", async || client.alerts().await.is_ok_and(|r| r.parsed.alerts.len() == 2))
        .await;
    let alerts = client.alerts().await.expect("it answered before").parsed.alerts;
    let pending =
        alerts.iter().find(|alert| alert.state == AlertState::Pending).expect("one alert is pending");
    assert!(pending.active_at.is_some() && (pending.value - 7.0).abs() < f64::EPSILON);

    let groups = client.rules().await.expect("the rules are loaded").parsed.groups;
    assert_eq!((groups[0].name.as_str(), groups[0].interval), ("constants", Duration::from_millis(100)));
    assert!(groups[0].file.ends_with("rules.yml") && groups[0].last_evaluation.is_some());
    let Rule::Recording(one) = &groups[0].rules[0] else { panic!("the first rule records") };
    assert_eq!(
        (one.query.as_str(), one.labels.get("origin").map(String::as_str)),
        ("vector(1)", Some("test"))
    );
    let Rule::Alerting(firing) = &groups[0].rules[3] else { panic!("the fourth rule alerts") };
    assert_eq!(
        (firing.health, firing.state, firing.duration),
        (RuleHealth::Ok, AlertState::Firing, Duration::ZERO)
    );
    let Rule::Alerting(waiting) = &groups[0].rules[4] else { panic!("the fifth rule alerts") };
    assert_eq!((waiting.state, waiting.duration.as_secs()), (AlertState::Pending, 3600));
}

async fn reads_values(client: &Prometheus) {
    let now = Timestamp::now();
    let vector = client.query("constant:one", None).await.expect("the query is valid").parsed;
    assert!(matches!(vector, QueryValue::Vector(samples) if samples[0].labels["origin"] == "test"));
    let scalar = client.query("scalar(vector(2))", Some(now)).await.expect("the query is valid").parsed;
    assert!(matches!(scalar, QueryValue::Scalar(sample) if sample.timestamp_ms == now.as_millisecond()));
    let text = client.query("\"text\"", None).await.expect("the query is valid").parsed;
    assert_eq!(text, QueryValue::String("text".to_owned()));
    let error = client.query("up{", None).await.expect_err("the query is invalid");
    assert!(matches!(&error, ApiError::Api { error_type, .. } if error_type == "bad_data"), "{error}");

    let raw =
        |selector| async move { client.query_raw_range(selector, None).await.expect("it is valid").parsed };
    assert!(raw("constant:nan[60000ms]").await[0].samples[0].value.is_nan());
    assert!(raw("constant:inf[60000ms]").await[0].samples[0].value.is_infinite());
    let samples = &raw("constant:one[60000ms]").await[0].samples;
    assert!(samples.windows(2).all(|pair| pair[0].timestamp_ms < pair[1].timestamp_ms));
    let error = client.query_raw_range("constant:one", None).await.expect_err("there is no range");
    assert!(matches!(error, ApiError::Malformed { .. }), "{error}");

    let start = now - 2.seconds();
    let range =
        client.query_range("vector(3)", start, now, Duration::from_millis(500)).await.expect("it is valid");
    assert_eq!(range.parsed[0].samples.len(), 5);
    let series = client.series("constant:one", start, Timestamp::now()).await.expect("it is valid").parsed;
    assert_eq!(series[0]["__name__"], "constant:one");
}

async fn reads_targets(client: &Prometheus, alertmanager: &Alertmanager) {
    until("the target has been scraped", async || {
        client.targets().await.is_ok_and(|reply| {
            reply.parsed.active_targets.first().is_some_and(|target| target.health == TargetHealth::Up)
        })
    })
    .await;
    let target = client.targets().await.expect("it answered before").parsed.active_targets.remove(0);
    assert_eq!(
        (target.labels["job"].as_str(), target.scrape_pool.as_str()),
        ("alertmanager", "alertmanager")
    );
    assert_eq!((target.scrape_interval, target.last_error.as_str()), (Duration::from_millis(200), ""));
    assert!(target.last_scrape.is_some() && target.scrape_url.starts_with(alertmanager.base().as_str()));
    let metadata = client.metadata().await.expect("it is known after a scrape").parsed;
    assert_eq!(metadata["alertmanager_build_info"][0].kind, "gauge");

    until("the alertmanager is known", async || {
        client.alertmanagers().await.is_ok_and(|reply| reply.parsed.active_alertmanagers.len() == 1)
    })
    .await;
    let known =
        client.alertmanagers().await.expect("it answered before").parsed.active_alertmanagers.remove(0);
    assert_eq!(known.url.authority(), alertmanager.base().authority());
}

#[tokio::test]
async fn every_call_of_the_alertmanager_client_reads_a_real_server() {
    let (server, client) = start_alertmanager().await;
    until("alertmanager is ready", async || client.ready().await.is_ok()).await;

    let status = client.status().await.unwrap();
    assert!(status.parsed.config.original.contains("receiver: nobody"));
    assert!(status.parsed.version_info.version.contains('.'));
    assert_eq!(status.parsed.cluster.status, "disabled");
    assert!(client.metrics_text().await.unwrap().raw.contains("\nalertmanager_build_info{"));

    let everything = AlertFilter::default();
    assert!(client.alerts(&everything).await.unwrap().parsed.is_empty());
    post_alert(&server).await;
    let state = async || {
        let alerts = client.alerts(&everything).await.ok()?.parsed;
        alerts.first().map(|alert| alert.status.state)
    };
    until("the alert is active", async || state().await == Some(SuppressionState::Active)).await;
    let alert = client.alerts(&everything).await.unwrap().parsed.remove(0);
    assert_eq!((alert.labels["alertname"].as_str(), alert.receivers[0].name.as_str()), ("Posted", "nobody"));
    assert_eq!(alert.starts_at.to_string(), "2026-01-02T03:04:05.123Z");
    assert!(alert.ends_at.is_some() && !alert.fingerprint.is_empty());
    let group = client.alert_groups(&everything).await.unwrap().parsed.remove(0);
    assert_eq!((group.receiver.name.as_str(), group.alerts.len()), ("nobody", 1));
    let other = AlertFilter { matchers: vec!["alertname=Other".to_owned()], ..AlertFilter::default() };
    assert!(client.alerts(&other).await.unwrap().parsed.is_empty());
    let wrong = AlertFilter { matchers: vec!["{{".to_owned()], ..AlertFilter::default() };
    assert!(matches!(client.alerts(&wrong).await.unwrap_err(), ApiError::Status { status: 400, .. }));

    let id = client.create_silence(&silence()).await.unwrap().parsed.silence_id;
    until("the alert is suppressed", async || state().await == Some(SuppressionState::Suppressed)).await;
    assert_eq!(
        client.alerts(&everything).await.unwrap().parsed[0].status.silenced_by,
        std::slice::from_ref(&id)
    );
    let listed = client.silences().await.unwrap().parsed.remove(0);
    assert_eq!(
        (&listed.id, listed.status.state, &listed.matchers),
        (&id, SilenceState::Active, &silence().matchers)
    );
    client.delete_silence(&id).await.unwrap();
    assert_eq!(client.silences().await.unwrap().parsed[0].status.state, SilenceState::Expired);

    client.reload().await.unwrap();
    server.write("alertmanager.yml", "route: {}\n");
    assert!(matches!(client.reload().await.unwrap_err(), ApiError::Status { status: 500, .. }));
}

async fn post_alert(server: &Running) {
    let url = server.address().join("api/v2/alerts").expect("the path is plain");
    let ends = Timestamp::now() + 1.hour();
    let body = format!(
        r#"[{{"labels":{{"alertname":"Posted"}},"startsAt":"2026-01-02T03:04:05.123Z","endsAt":"{ends}"}}]"#
    );
    let request = reqwest::Client::new().post(url).header("content-type", "application/json").body(body);
    let reply = request.send().await.expect("alertmanager answers");
    assert!(reply.status().is_success(), "{}", reply.status());
}

fn silence() -> PostableSilence {
    let starts_at: Timestamp = Timestamp::now();
    PostableSilence {
        matchers: vec![Matcher {
            name: "alertname".to_owned(),
            value: "Posted".to_owned(),
            is_regex: false,
            is_equal: true,
        }],
        starts_at,
        ends_at: starts_at + 1.hour(),
        created_by: "a test".to_owned(),
        comment: "to see it suppressed".to_owned(),
    }
}
