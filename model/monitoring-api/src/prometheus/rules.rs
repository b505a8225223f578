//! Loaded rules and the alerts they raise.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::values::value_string;
use crate::{Labels, duration, instants};

/// All loaded rule groups.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct RuleGroups {
    /// The groups in the server's order.
    pub groups: Vec<RuleGroup>,
}

/// Rules that are evaluated together, in order.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleGroup {
    /// The group's name, unique within its file.
    pub name: String,
    /// The path of the file it was loaded from.
    pub file: String,
    /// The time between evaluations.
    #[serde(deserialize_with = "duration::seconds")]
    pub interval: Duration,
    /// When the last evaluation began; `None` before the first.
    #[serde(default, deserialize_with = "instants::or_never")]
    pub last_evaluation: Option<Timestamp>,
    /// The rules in evaluation order.
    pub rules: Vec<Rule>,
}

/// A loaded rule.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Rule {
    /// A rule that raises alerts.
    Alerting(AlertingRule),
    /// A rule that records a series.
    Recording(RecordingRule),
}

/// A rule that raises alerts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertingRule {
    /// The alert's name.
    pub name: String,
    /// The expression, as Prometheus formats it.
    pub query: String,
    /// `for`: how long the expression must hold.
    #[serde(deserialize_with = "duration::seconds")]
    pub duration: Duration,
    /// `keep_firing_for`: how long the alert outlives its expression. Zero where the server does not know it.
    #[serde(default, deserialize_with = "duration::seconds")]
    pub keep_firing_for: Duration,
    /// The rule's own labels, templates unexpanded.
    pub labels: Labels,
    /// The annotations, templates unexpanded.
    pub annotations: Labels,
    /// How the last evaluation went.
    pub health: RuleHealth,
    /// The error of the last evaluation.
    #[serde(default)]
    pub last_error: Option<String>,
    /// When the last evaluation began; `None` before the first.
    #[serde(default, deserialize_with = "instants::or_never")]
    pub last_evaluation: Option<Timestamp>,
    /// The most severe state of its alerts.
    pub state: AlertState,
    /// The pending and firing alerts.
    pub alerts: Vec<ActiveAlert>,
}

/// A rule that records a series.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingRule {
    /// The name of the recorded series.
    pub name: String,
    /// The expression, as Prometheus formats it.
    pub query: String,
    /// The labels added to the series.
    #[serde(default)]
    pub labels: Labels,
    /// How the last evaluation went.
    pub health: RuleHealth,
    /// The error of the last evaluation.
    #[serde(default)]
    pub last_error: Option<String>,
    /// When the last evaluation began; `None` before the first.
    #[serde(default, deserialize_with = "instants::or_never")]
    pub last_evaluation: Option<Timestamp>,
}

/// How the last evaluation of a rule went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleHealth {
    /// Without error.
    Ok,
    /// With an error.
    Err,
    /// Not evaluated yet.
    Unknown,
}

/// The state of an alert, or the most severe one of a rule's alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// Not evaluated yet (newer servers only).
    Unknown,
    /// The expression gives nothing.
    Inactive,
    /// The expression holds, not yet for long enough.
    Pending,
    /// The alert fires.
    Firing,
}

/// All pending and firing alerts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ActiveAlerts {
    /// The alerts in the server's order.
    pub alerts: Vec<ActiveAlert>,
}

/// A pending or firing alert.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveAlert {
    /// The labels, templates expanded, `alertname` included.
    pub labels: Labels,
    /// The annotations, templates expanded.
    pub annotations: Labels,
    /// Pending or firing.
    pub state: AlertState,
    /// When the expression began to hold.
    #[serde(default, deserialize_with = "instants::or_never")]
    pub active_at: Option<Timestamp>,
    /// Since when the alert fires only because of `keep_firing_for` (newer servers only).
    #[serde(default, deserialize_with = "instants::or_never")]
    pub keep_firing_since: Option<Timestamp>,
    /// The expression's value at the last evaluation.
    #[serde(deserialize_with = "value_string")]
    pub value: f64,
}
