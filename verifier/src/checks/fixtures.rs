//! Evidence in which everything holds, for tests that break one thing at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use firedrill_drill::{AlertExpectation, Expectation, Fault};
use firedrill_record::{FaultRecord, Labels, LatencyHistogram, Ledger, LedgerBin, LedgerRow, Route};
use jiff::{SignedDuration, Timestamp};

use crate::deadline::Clockwork;
use crate::evidence::{
    AlertmanagerSighting, CounterSnapshot, EndedBecause, Evidence, LatenessSample, LiveConfiguration,
    LiveRule, Notification, NotifiedAlert, RuleProbe, Sample, Series,
};
use crate::plan::Plan;

/// Milliseconds after the drill's begin.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_millis(ms)
}

pub(crate) fn labels<const N: usize>(pairs: [(&str, &str); N]) -> Labels {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// A drill at speed 60: 30 % errors on the user service for 8 m, `HighErrorRate` expected.
pub(crate) fn plan() -> Plan {
    Plan {
        drill: "user-service-errors-page-the-team".parse().unwrap(),
        about: String::new(),
        file: String::new(),
        number: 1,
        speed: 60,
        seed: 1,
        faults: vec![(
            Duration::from_mins(2),
            Fault::Errors {
                service: "user".parse().unwrap(),
                ratio: "30%".parse().unwrap(),
                lasts: Duration::from_mins(8),
            },
        )],
        expect: vec![Expectation::Alert(AlertExpectation {
            name: "HighErrorRate".parse().unwrap(),
            labels: labels([("service", "user")]),
            outcome: firedrill_drill::AlertOutcome::Notified("notification-service".to_owned()),
        })],
        must_be: None,
        always_firing: vec!["Watchdog".to_owned()],
        left_out: Vec::new(),
        services: vec!["user".parse().unwrap()],
        notification_service: "notification".parse().unwrap(),
        webhooks: BTreeMap::from([("notification-service".to_owned(), BTreeSet::from([0]))]),
        witnessed: true,
    }
}

/// The alert that [`plan`] expects.
pub(crate) fn expectation() -> AlertExpectation {
    let Expectation::Alert(alert) = plan().expect.remove(0) else {
        panic!("the fixture expects an alert first")
    };
    alert
}

/// The intervals of [`configuration`] for `HighErrorRate`.
pub(crate) fn clockwork() -> Clockwork {
    Clockwork {
        scrape: 0.25,
        scrape_timeout: 0.25,
        evaluation: 0.25,
        recording_delay: 0.0,
        r#for: 5.0,
        keep_firing_for: 0.0,
        group_wait: 0.2,
        group_interval: 5.0,
        repeat_interval: 14_400.0,
        resend: 1.0,
        lost_alerts: false,
    }
}

pub(crate) fn live_rule(name: &str) -> LiveRule {
    LiveRule {
        group: "services".into(),
        interval: 0.25,
        alerting: true,
        name: name.into(),
        expr: "vector(1)".into(),
        r#for: 0.0,
        keep_firing_for: 0.0,
        labels: Labels::new(),
        health: "ok".into(),
        last_error: String::new(),
    }
}

pub(crate) fn series(metric: &str, more: &[(&str, &str)], value: f64) -> Series {
    let mut labels = labels([("__name__", metric)]);
    labels.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Series { labels, samples: vec![Sample { at_ms: 20_000, value }] }
}

pub(crate) fn alert_series(name: &str, state: &str, times: impl IntoIterator<Item = i64>) -> Series {
    let mut one = series(
        "ALERTS",
        &[
            ("alertname", name),
            ("service", "user"),
            ("alertstate", state),
            (firedrill_rulebook::RUN_LABEL, "1"),
        ],
        1.0,
    );
    one.samples = times.into_iter().map(|at_ms| Sample { at_ms, value: 1.0 }).collect();
    one
}

/// Puts these samples of the expected alert in that state in place of what there was.
pub(crate) fn set_samples(evidence: &mut Evidence, state: &str, times: impl IntoIterator<Item = i64>) {
    let alerts = evidence.alerts.as_mut().unwrap();
    alerts.retain(|one| one.label("alertname") != "HighErrorRate" || one.label("alertstate") != state);
    alerts.push(alert_series("HighErrorRate", state, times));
}

/// The harness's timers rang so late between 10 s and 30 s.
pub(crate) fn set_late_timers(evidence: &mut Evidence, worst: f64) {
    evidence.lateness = (50..=150).map(|n| LatenessSample { at: at(n * 200), worst }).collect();
}

/// The one group evaluated until so many milliseconds, each seen.
fn evaluations(until: i64) -> BTreeMap<String, Vec<Timestamp>> {
    BTreeMap::from([("services".to_owned(), (0..=until).step_by(250).map(at).collect())])
}

/// Twenty seconds in which only the always-firing alert fired.
pub(crate) fn quiet_evidence() -> Evidence {
    let mut evidence = Evidence::begun(at(0));
    evidence.ended = at(20_000);
    evidence.ended_because = Some(EndedBecause::Decided);
    evidence.evaluated_until = Some(at(20_250));
    evidence.alerts = Ok(vec![alert_series("Watchdog", "firing", (0..=20_250).step_by(250))]);
    evidence.rules_at_end = Ok(vec![live_rule("Watchdog")]);
    evidence.evaluations = evaluations(20_250);
    evidence.notifications = Ok(Vec::new());
    evidence
}

const READ: [(&str, &str); 3] = [("service", "user"), ("method", "GET"), ("route", "/users/{id}")];

fn snapshot(series: Vec<Series>) -> CounterSnapshot {
    CounterSnapshot { after: at(0), settled: true, moving: Vec::new(), series }
}

fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    READ.into_iter().chain(more.iter().copied()).collect()
}

/// A hundred requests, five of them failed, all counted.
pub(crate) fn truth_evidence() -> Evidence {
    let mut evidence = quiet_evidence();
    let mut ledger = Ledger::empty(at(0));
    let route = Route { service: "user".parse().unwrap(), method: "GET".into(), route: "/users/{id}".into() };
    let mut latency = LatencyHistogram::default();
    latency.buckets.insert(LatencyHistogram::bucket_of(20_000), 100);
    ledger.rows.push(LedgerRow {
        opened: 100,
        closed: BTreeMap::from([(200, 95), (500, 5)]),
        latency,
        ..LedgerRow::empty(route, true)
    });
    evidence.ledger = Some(ledger);
    evidence.counters_before = Ok(snapshot(Vec::new()));
    evidence.counters_after = Ok(snapshot(vec![
        series("http_requests_total", &with(&[("status", "200")]), 95.0),
        series("http_requests_total", &with(&[("status", "500")]), 5.0),
        series("http_request_duration_seconds_count", &with(&[]), 100.0),
        series("http_request_duration_seconds_bucket", &with(&[("le", "0.01")]), 3.0),
        series("http_request_duration_seconds_bucket", &with(&[("le", "0.1")]), 100.0),
        series("http_request_duration_seconds_bucket", &with(&[("le", "+Inf")]), 100.0),
    ]));
    evidence.resets = Ok(BTreeMap::new());
    evidence.services_up = Ok(vec!["user".parse().unwrap()]);
    evidence.failed_notifications = Ok(0.0);
    evidence.configuration = Ok(configuration());
    evidence
}

const PROMETHEUS: &str = "
global: {scrape_interval: 250ms, evaluation_interval: 250ms, scrape_timeout: 250ms}
scrape_configs:
  - job_name: services
    static_configs: [{targets: ['127.0.0.1:3002'], labels: {service: user}}]
";

const ALERTMANAGER: &str = "
route:
  receiver: notification-service
  group_by: [alertname, service, firedrill_run]
  group_wait: 200ms
  group_interval: 5s
receivers:
  - name: notification-service
    webhook_configs: [{url: 'http://127.0.0.1:3004/webhook/alertmanager', send_resolved: true}]
  - name: nobody
";

/// The expression of the expected alert, scaled to speed 60.
const HIGH_ERROR_RATE: &str = "sum by (service) (rate(http_requests_total{status=~\"5..\"}[5s])) \
     / sum by (service) (rate(http_requests_total[5s])) > 0.05";

/// The configuration that the expected alert needs.
pub(crate) fn configuration() -> LiveConfiguration {
    let mut rule = live_rule("HighErrorRate");
    rule.expr = HIGH_ERROR_RATE.into();
    rule.r#for = 5.0;
    rule.labels = labels([("severity", "critical")]);
    LiveConfiguration {
        prometheus_yaml: PROMETHEUS.into(),
        alertmanager_yaml: ALERTMANAGER.into(),
        rules: vec![rule, live_rule("Watchdog")],
        resend_delay: Some(1.0),
    }
}

/// The whole life of the expected alert: the fault from 10 s to 18 s at 100 requests a second.
pub(crate) fn alert_evidence() -> Evidence {
    let mut evidence = truth_evidence();
    evidence.configuration = Ok(configuration());
    evidence.ended = at(30_000);
    evidence.evaluated_until = Some(at(30_250));
    evidence.evaluations = evaluations(30_250);
    let row = &mut evidence.ledger.as_mut().unwrap().rows[0];
    row.bins = (0..3_000)
        .flat_map(|index| {
            // One request in each bin; under the fault three of ten fail.
            let failed = (1_000..1_800).contains(&index) && index % 10 < 3;
            [LedgerBin {
                index,
                status: if failed { 500 } else { 200 },
                count: 1,
                shortest_us: 1000,
                longest_us: 1000,
            }]
        })
        .collect();
    evidence.faults = vec![FaultRecord {
        what: "errors 30% on user".into(),
        asked: at(10_000),
        injected: Some(at(10_002)),
        undo_asked: Some(at(18_000)),
        undone: Some(at(18_002)),
        proof: None,
        witnessed: None,
        problem: None,
    }];
    let mut alerts = vec![alert_series("Watchdog", "firing", (0..=30_250).step_by(250))];
    alerts.push(alert_series("HighErrorRate", "pending", (11_000..16_000).step_by(250)));
    alerts.push(alert_series("HighErrorRate", "firing", (16_000..22_500).step_by(250)));
    evidence.alerts = Ok(alerts);
    let alert_labels = labels([
        ("alertname", "HighErrorRate"),
        ("service", "user"),
        ("severity", "critical"),
        (firedrill_rulebook::RUN_LABEL, "1"),
    ]);
    evidence.alertmanager = vec![AlertmanagerSighting {
        seen: at(16_100),
        labels: alert_labels.clone(),
        starts_at: at(16_000),
        ends_at: at(17_000),
        updated_at: at(16_005),
        fingerprint: String::new(),
        state: "active".into(),
        inhibited_by: Vec::new(),
        silenced_by: Vec::new(),
        receivers: vec!["notification-service".into()],
    }];
    let notification = |ms, status: &str| Notification {
        received_at: at(ms),
        receiver: "notification-service".into(),
        webhook: 0,
        status: status.into(),
        alerts: vec![NotifiedAlert {
            status: status.into(),
            labels: alert_labels.clone(),
            starts_at: at(16_000),
            ends_at: (status == "resolved").then(|| at(22_500)),
        }],
    };
    evidence.notifications = Ok(vec![notification(16_210, "firing"), notification(26_210, "resolved")]);
    evidence.witness = vec![notification(16_212, "firing"), notification(26_212, "resolved")];
    evidence.rule_probes = vec![RuleProbe {
        expectation: 0,
        selectors: vec![("http_requests_total{service=\"user\"}".into(), Ok(5))],
        peak: Some(("ratio".into(), Ok(Some(0.3)))),
    }];
    evidence
}
