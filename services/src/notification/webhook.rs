//! What Alertmanager posts, in version 4 of its webhook.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::ApiError;

const VERSION: &str = "4";
/// The log target of the channel `log`.
pub(crate) const LOG_CHANNEL_TARGET: &str = "notification_channel";

/// One delivery. What is not read here is ignored; the alerts are kept as they are.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Webhook {
    version: String,
    pub(super) group_key: String,
    pub(super) status: Status,
    pub(super) receiver: String,
    #[serde(default)]
    pub(super) group_labels: Map<String, Value>,
    pub(super) alerts: Vec<Map<String, Value>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Firing,
    Resolved,
}

impl Webhook {
    pub(super) fn check(&self) -> Result<(), ApiError> {
        if self.version == VERSION {
            return Ok(());
        }
        Err(ApiError::invalid(format!("webhook version must be {VERSION}")))
    }

    /// The channel `log`: one line for each alert.
    pub(super) fn log(&self, sequence: u64) {
        for alert in &self.alerts {
            let text = |name: &str| alert.get(name).and_then(Value::as_str).unwrap_or_default();
            let label = |name: &str| alert.get("labels")?.get(name)?.as_str();
            tracing::info!(
                target: LOG_CHANNEL_TARGET,
                sequence,
                receiver = self.receiver,
                alertname = label("alertname").unwrap_or_default(),
                severity = label("severity").unwrap_or_default(),
                status = text("status"),
                fingerprint = text("fingerprint"),
                starts_at = text("startsAt"),
                "alert"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_refused() {
        let webhook = |version: &str| -> Webhook {
            let body = serde_json::json!({
                "version": version, "groupKey": "{}:{}", "status": "firing", "receiver": "team", "alerts": [],
                "truncatedAlerts": 0,
            });
            serde_json::from_value(body).expect("parses")
        };
        assert!(webhook("4").check().is_ok());
        assert!(webhook("5").check().is_err());
    }
}
