//! Silences.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A silence as Alertmanager holds it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GettableSilence {
    /// Its identifier.
    pub id: String,
    /// Whether it is in force.
    pub status: SilenceStatus,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// What was silenced: all matchers must hold.
    pub matchers: Vec<Matcher>,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// Who created it.
    pub created_by: String,
    /// Why.
    pub comment: String,
}

/// A silence to create.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PostableSilence {
    /// What to silence: all matchers must hold.
    pub matchers: Vec<Matcher>,
    /// When it begins; the past means now.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// Who creates it.
    pub created_by: String,
    /// Why.
    pub comment: String,
}

/// A condition on one label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// The value, or a regular expression for the whole of it.
    pub value: String,
    /// Whether `value` is a regular expression.
    pub is_regex: bool,
    /// Whether the value must match (`true`) or must not.
    #[serde(default = "yes")]
    pub is_equal: bool,
}

fn yes() -> bool {
    true
}

/// Whether a silence is in force.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SilenceStatus {
    /// The state.
    pub state: SilenceState,
}

/// Whether a silence is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SilenceState {
    /// Over, or deleted.
    Expired,
    /// In force.
    Active,
    /// Not begun.
    Pending,
}

/// The identifier of a silence that was created.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SilenceId {
    /// The identifier.
    #[serde(rename = "silenceID")]
    pub silence_id: String,
}
