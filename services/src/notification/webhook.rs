//! What Alertmanager posts, in version 4 of its webhook.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::delivery::{Delivery, Status};
use crate::error::ApiError;

const VERSION: &str = "4";

/// One delivery. What is not read here is ignored; the alerts are kept as they are.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Webhook {
    version: String,
    group_key: String,
    status: Status,
    receiver: String,
    #[serde(default)]
    group_labels: Map<String, Value>,
    alerts: Vec<Map<String, Value>>,
}

impl Webhook {
    pub(super) fn received(self, at: Timestamp) -> Result<Delivery, ApiError> {
        if self.version != VERSION {
            return Err(ApiError::invalid(format!("webhook version must be {VERSION}")));
        }
        Ok(Delivery {
            received_at: format!("{at:.6}"),
            receiver: self.receiver,
            status: self.status,
            group_key: self.group_key,
            group_labels: self.group_labels,
            alerts: self.alerts,
        })
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
        assert!(webhook("4").received(Timestamp::UNIX_EPOCH).is_ok());
        assert!(webhook("5").received(Timestamp::UNIX_EPOCH).is_err());
    }
}
