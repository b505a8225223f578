//! What Alertmanager posts.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

static CALLS: AtomicU64 = AtomicU64::new(0);

/// Another delivery with each call: its alerts began at another time.
pub(super) fn delivery(version: &str, status: &str, alerts: usize) -> Value {
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let alert = |number: usize| {
        json!({
            "status": status,
            "labels": { "alertname": "HighErrorRate", "severity": "critical", "number": number.to_string() },
            "annotations": { "summary": "many errors" },
            "startsAt": format!("2026-01-02T03:04:05.{call:09}Z"),
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus/graph",
            "fingerprint": "c0ffee",
        })
    };
    json!({
        "version": version,
        "groupKey": "{}:{alertname=\"HighErrorRate\"}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "team",
        "groupLabels": { "alertname": "HighErrorRate" },
        "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://alertmanager",
        "alerts": (0..alerts).map(alert).collect::<Vec<_>>(),
    })
}
