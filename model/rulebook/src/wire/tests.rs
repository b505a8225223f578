use serde_yaml::Value;

use super::{HarnessWiring, RUN_LABEL, WireError, Wiring, wire};
use crate::alertmanager::GroupBy;
use crate::folder::ConfigFolder;
use crate::rules::Rule;

const PROMETHEUS: &str = "global: {scrape_interval: 15s}\nrule_files: ['*.rules']\n\
    alerting: {alertmanagers: [{static_configs: [{targets: ['am:9093', 'other:9093']}]}]}\n\
    scrape_configs:\n\
    - {job_name: a, static_configs: [{targets: ['x:1', 'y:2'], labels: {service: s}}]}\n\
    - {job_name: b, scrape_interval: 5s, static_configs: [{targets: ['z:3'], labels: {instance: zed}}]}\n";
const ALERTMANAGER: &str = "route: {receiver: r, routes: [{match: {a: b}, group_by: [c]}, {match: {a: c}, group_by: ['...']}, \
    {match: {a: d}}]}\n\
    receivers: [{name: r, webhook_configs: [{url: 'http://hook:80/p?q=1', send_resolved: false, max_alerts: 2}, \
    {url: 'http://far/p'}]}, {name: 'r / two', webhook_configs: [{url: 'http://hook/'}]}, {name: none}]\n";
const RULES: &str = "groups: [{name: g, rules: [{record: 'a:b', expr: up}, {alert: A, expr: up}, \
    {alert: B, expr: up, labels: {s: t}}]}]\n";

fn folder() -> ConfigFolder {
    ConfigFolder::from_files([
        ("prometheus.yml", PROMETHEUS),
        ("alertmanager.yml", ALERTMANAGER),
        ("a.rules", RULES),
    ])
}

fn addresses() -> Wiring {
    let pairs = [
        ("am:9093", "127.0.0.1:9"),
        ("x:1", "127.0.0.1:1001"),
        ("z:3", "127.0.0.1:1003"),
        ("hook:80", "127.0.0.1:1080"),
    ];
    let addresses = pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
    Wiring { addresses, ..Wiring::default() }
}

fn harness() -> Wiring {
    let metrics_address = "127.0.0.1:7".to_owned();
    let witness_url = "http://127.0.0.1:8/witness".to_owned();
    Wiring { harness: Some(HarnessWiring { metrics_address, witness_url }), ..Wiring::default() }
}

#[test]
fn nothing_to_wire_changes_nothing_but_formatting() {
    let (wired, changes) = wire(&folder(), &Wiring::default()).unwrap();
    assert_eq!(changes, []);
    for (path, text) in &folder().files {
        let tree = |text: &str| serde_yaml::from_str::<Value>(text).unwrap();
        assert_eq!(tree(text), tree(&wired.files[path]), "{path}");
    }
}

#[test]
fn a_mapped_target_keeps_its_instance_and_labels() {
    let (wired, changes) = wire(&folder(), &addresses()).unwrap();
    let config = wired.prometheus().unwrap();
    let targets = &config.job("a").unwrap().targets;
    let seen: Vec<_> = targets
        .iter()
        .map(|target| (target.address.as_str(), target.series_labels("a")["instance"].clone()))
        .collect();
    assert_eq!(seen, [("127.0.0.1:1001", "x:1".to_owned()), ("y:2", "y:2".to_owned())]);
    assert!(targets.iter().all(|target| target.labels["service"] == "s"));
    assert_eq!(config.job("b").unwrap().targets[0].labels["instance"], "zed");
    assert_eq!(config.alertmanagers, ["127.0.0.1:9", "other:9093"]);
    assert_eq!(changes.len(), 5, "{changes:?}");
}

#[test]
fn the_host_and_port_of_a_mapped_webhook_change_and_nothing_else_of_it() {
    let (wired, _) = wire(&folder(), &addresses()).unwrap();
    let config = wired.alertmanager().unwrap();
    let webhooks = &config.receiver("r").unwrap().webhooks;
    assert_eq!(webhooks[0].url.as_deref(), Some("http://127.0.0.1:1080/p?q=1"));
    assert!(!webhooks[0].send_resolved);
    assert_eq!(webhooks[0].max_alerts, 2);
    assert_eq!(webhooks[1].url.as_deref(), Some("http://far/p"));
    let implied = &config.receiver("r / two").unwrap().webhooks[0];
    assert_eq!(implied.url.as_deref(), Some("http://127.0.0.1:1080/"), "port 80 is implied");
}

#[test]
fn a_witness_stands_beside_each_webhook_and_is_told_of_the_same() {
    let (wired, _) = wire(&folder(), &harness()).unwrap();
    let config = wired.alertmanager().unwrap();
    let webhooks: Vec<_> = config
        .receiver("r")
        .unwrap()
        .webhooks
        .iter()
        .map(|webhook| (webhook.url.as_deref().unwrap(), webhook.send_resolved))
        .collect();
    assert_eq!(
        webhooks,
        [
            ("http://hook:80/p?q=1", false),
            ("http://far/p", true),
            ("http://127.0.0.1:8/witness/r/0", false),
            ("http://127.0.0.1:8/witness/r/1", true),
        ]
    );
    let other = config.receiver("r / two").unwrap();
    assert_eq!(other.webhooks[1].url.as_deref(), Some("http://127.0.0.1:8/witness/r%20%2F%20two/0"));
    assert_eq!(config.receiver("none").unwrap().webhooks, []);
}

#[test]
fn the_harness_is_scraped_as_often_as_anything() {
    let (wired, _) = wire(&folder(), &harness()).unwrap();
    let config = wired.prometheus().unwrap();
    let job = config.job("firedrill").unwrap();
    assert_eq!((job.scrape_interval.as_secs(), job.scrape_timeout.as_secs()), (5, 5));
    assert_eq!(job.targets[0].address, "127.0.0.1:7");
}

#[test]
fn the_run_label_is_on_every_alert_and_on_no_recording_rule() {
    let (wired, _) = wire(&folder(), &Wiring { run_label: true, ..Wiring::default() }).unwrap();
    let rules = wired.rules().unwrap();
    for (_, _, rule) in rules.iter() {
        match rule {
            Rule::Alerting(alert) => {
                assert!(alert.labels[RUN_LABEL].contains("max_over_time(firedrill_run[1h])"));
            }
            Rule::Recording(recording) => assert!(!recording.labels.contains_key(RUN_LABEL)),
        }
    }
    assert_eq!(rules.alerts("B").next().unwrap().2.labels["s"], "t");
}

#[test]
fn groups_are_made_by_the_run_label_where_a_route_has_groups_of_its_own() {
    let (wired, _) = wire(&folder(), &Wiring { run_label: true, ..Wiring::default() }).unwrap();
    let route = wired.alertmanager().unwrap().route;
    let by =
        |labels: &[&str]| Some(GroupBy::Labels(labels.iter().map(|label| (*label).to_owned()).collect()));
    assert_eq!(route.group_by, by(&[RUN_LABEL]));
    assert_eq!(route.routes[0].group_by, by(&["c", RUN_LABEL]));
    assert_eq!(route.routes[1].group_by, Some(GroupBy::All));
    assert_eq!(route.routes[2].group_by, None);
}

#[test]
fn names_that_the_rehearsal_needs_must_be_free() {
    let (wired, _) = wire(&folder(), &Wiring { run_label: true, ..harness() }).unwrap();
    let error = wire(&wired, &harness()).unwrap_err();
    assert!(matches!(&error, WireError::NameTaken { name, .. } if name == "firedrill"), "{error}");
    let error = wire(&wired, &Wiring { run_label: true, ..Wiring::default() }).unwrap_err();
    assert!(matches!(&error, WireError::NameTaken { name, .. } if name == RUN_LABEL), "{error}");
}
