//! What the server says about itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::instants;

/// Which build of the server runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildInfo {
    /// The version, without a leading `v`.
    pub version: String,
    /// The commit.
    #[serde(default)]
    pub revision: String,
    /// The branch.
    #[serde(default)]
    pub branch: String,
    /// When it was built, in the builder's notation.
    #[serde(default)]
    pub build_date: String,
    /// The Go version.
    #[serde(default)]
    pub go_version: String,
}

/// The loaded configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ConfigYaml {
    /// The configuration with all defaults filled in and secrets replaced by `<secret>`.
    pub yaml: String,
}

/// The command line flags by name, without dashes, defaults included.
pub type Flags = BTreeMap<String, String>;

/// The state of the running server.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeInfo {
    /// When the server started.
    pub start_time: Timestamp,
    /// Whether the last reload succeeded.
    pub reload_config_success: bool,
    /// When the configuration was last loaded; `None` if never.
    #[serde(deserialize_with = "instants::or_never")]
    pub last_config_time: Option<Timestamp>,
    /// Corruptions of the write-ahead log that were met.
    pub corruption_count: u64,
    /// The retention by time and size, in the server's notation; empty where it does not say.
    #[serde(default)]
    pub storage_retention: String,
}

/// What one target says about a metric.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MetricMetadata {
    /// The type, in OpenMetrics' words (`unknown` for untyped).
    #[serde(rename = "type")]
    pub kind: String,
    /// The help text.
    pub help: String,
    /// The unit; empty without one.
    pub unit: String,
}
