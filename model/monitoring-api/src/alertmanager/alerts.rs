//! Alerts as Alertmanager holds them, and as it groups them.

use jiff::Timestamp;
use serde::Deserialize;

use crate::{Labels, instants};

/// Which alerts to list. The default is all of them; alerts that have not been looked at yet are always listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertFilter {
    /// Matchers that must all hold, such as `alertname="Watchdog"`.
    pub matchers: Vec<String>,
    /// List active alerts.
    pub active: bool,
    /// List silenced alerts.
    pub silenced: bool,
    /// List inhibited alerts.
    pub inhibited: bool,
    /// A regular expression that the name of a receiver must match.
    pub receiver: Option<String>,
}

impl Default for AlertFilter {
    fn default() -> Self {
        Self { matchers: Vec::new(), active: true, silenced: true, inhibited: true, receiver: None }
    }
}

/// An alert as Alertmanager holds it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GettableAlert {
    /// The labels, `alertname` included.
    pub labels: Labels,
    /// The annotations.
    pub annotations: Labels,
    /// When it began, as the sender said.
    pub starts_at: Timestamp,
    /// When it ends or ended; `None` if the sender never said.
    #[serde(deserialize_with = "instants::or_never")]
    pub ends_at: Option<Timestamp>,
    /// When Alertmanager last changed it.
    pub updated_at: Timestamp,
    /// The hash of its labels.
    pub fingerprint: String,
    /// The receivers its routes lead to.
    pub receivers: Vec<ReceiverName>,
    /// Whether it is suppressed, and by what.
    pub status: AlertStatus,
    /// Where it came from; empty if the sender did not say.
    #[serde(default, rename = "generatorURL")]
    pub generator_url: String,
}

/// A receiver's name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReceiverName {
    /// The name in the configuration.
    pub name: String,
}

/// Whether an alert is suppressed, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertStatus {
    /// The state.
    pub state: SuppressionState,
    /// The identifiers of the silences that suppress it.
    pub silenced_by: Vec<String>,
    /// The fingerprints of the alerts that inhibit it.
    pub inhibited_by: Vec<String>,
    /// The time intervals that mute it (newer servers only).
    #[serde(default)]
    pub muted_by: Vec<String>,
}

/// Whether an alert is suppressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SuppressionState {
    /// Not looked at yet.
    Unprocessed,
    /// Not suppressed.
    Active,
    /// Silenced, inhibited or muted.
    Suppressed,
}

/// Alerts that are notified together.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct AlertGroup {
    /// The labels the group is formed by.
    pub labels: Labels,
    /// The receiver of its route.
    pub receiver: ReceiverName,
    /// Its alerts.
    pub alerts: Vec<GettableAlert>,
}
