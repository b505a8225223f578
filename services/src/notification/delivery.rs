//! One delivery of Alertmanager as it is kept, served and sent.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A delivery; its alerts are as Alertmanager posted them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Delivery {
    /// RFC 3339, by this service's clock at arrival.
    pub(super) received_at: String,
    pub(super) receiver: String,
    pub(super) status: Status,
    pub(super) group_key: String,
    pub(super) group_labels: Map<String, Value>,
    pub(super) alerts: Vec<Map<String, Value>>,
}

/// Whether any alert of the group fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Firing,
    Resolved,
}

impl Delivery {
    /// What two posts of one delivery have in common: the receiver, the group, and each alert with its state and
    /// times. The moment of arrival is no part of it.
    pub(super) fn identity(&self) -> String {
        let alert = |alert: &Map<String, Value>| {
            let field = |name: &str| alert.get(name).cloned().unwrap_or_default();
            // Other senders than Alertmanager may leave the fingerprint out.
            let who = alert.get("fingerprint").or_else(|| alert.get("labels")).cloned().unwrap_or_default();
            json!([who, field("status"), field("startsAt"), field("endsAt")]).to_string()
        };
        let mut alerts: Vec<String> = self.alerts.iter().map(alert).collect();
        alerts.sort_unstable();
        json!([self.receiver, self.group_key, self.status, alerts]).to_string()
    }

    /// One line that says what this is about, such as `[FIRING:2] HighErrorRate user`.
    pub(super) fn headline(&self) -> String {
        let status = match self.status {
            Status::Firing => {
                let fires = |alert: &&Map<String, Value>| text(alert, "status") == "firing";
                format!("FIRING:{}", self.alerts.iter().filter(fires).count())
            }
            Status::Resolved => "RESOLVED".to_owned(),
        };
        let group: Vec<&str> = self.group_labels.values().filter_map(Value::as_str).collect();
        let about = if group.is_empty() { self.receiver.clone() } else { group.join(" ") };
        format!("[{status}] {about}")
    }
}

/// A field of an alert, empty when it has none.
pub(super) fn text<'a>(alert: &'a Map<String, Value>, name: &str) -> &'a str {
    alert.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A label or an annotation of an alert, empty when it has none.
pub(super) fn nested<'a>(alert: &'a Map<String, Value>, part: &str, name: &str) -> &'a str {
    alert.get(part).and_then(|part| part.get(name)?.as_str()).unwrap_or_default()
}

/// The labels of an alert but its name, `name=value` each.
pub(super) fn labels(alert: &Map<String, Value>) -> String {
    let labels = alert.get("labels").and_then(Value::as_object).into_iter().flatten();
    let label = |(name, value): (&String, &Value)| Some(format!("{name}={}", value.as_str()?));
    labels.filter(|(name, _)| *name != "alertname").filter_map(label).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn delivery(alerts: &Value) -> Delivery {
        let delivery = json!({
            "received_at": "2026-01-02T03:04:05.678901Z", "receiver": "team", "status": "firing",
            "group_key": "{}:{alertname=\"HighErrorRate\"}", "group_labels": { "alertname": "HighErrorRate" },
            "alerts": alerts,
        });
        serde_json::from_value(delivery).expect("a delivery")
    }

    fn alert(fingerprint: &str, status: &str) -> Value {
        json!({ "fingerprint": fingerprint, "status": status, "startsAt": "1", "endsAt": "2" })
    }

    #[test]
    fn the_order_of_alerts_and_the_arrival_are_no_part_of_the_identity() {
        let one = delivery(&json!([alert("a", "firing"), alert("b", "firing")]));
        let mut other = delivery(&json!([alert("b", "firing"), alert("a", "firing")]));
        other.received_at = "later".to_owned();
        assert_eq!(one.identity(), other.identity());
    }

    #[test]
    fn what_tells_deliveries_apart_is_part_of_the_identity() {
        let one = delivery(&json!([alert("a", "firing")]));
        let others = [
            delivery(&json!([])),
            delivery(&json!([alert("b", "firing")])),
            delivery(&json!([alert("a", "resolved")])),
            Delivery { receiver: "other".to_owned(), ..one.clone() },
            Delivery { group_key: "other".to_owned(), ..one.clone() },
            Delivery { status: Status::Resolved, ..one.clone() },
        ];
        for other in others {
            assert_ne!(one.identity(), other.identity(), "{other:?}");
        }
    }

    #[test]
    fn a_headline_counts_what_fires() {
        let firing = delivery(&json!([alert("a", "firing"), alert("b", "resolved")]));
        assert_eq!(firing.headline(), "[FIRING:1] HighErrorRate");
        let resolved = Delivery { status: Status::Resolved, group_labels: Map::new(), ..firing };
        assert_eq!(resolved.headline(), "[RESOLVED] team");
    }
}
