//! What the server says about itself.

use jiff::Timestamp;
use serde::Deserialize;

/// Configuration, version and cluster of the server.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The loaded configuration.
    pub config: ConfigOriginal,
    /// Which build runs.
    pub version_info: VersionInfo,
    /// The cluster, if it is one.
    pub cluster: ClusterStatus,
    /// When the server started.
    pub uptime: Timestamp,
}

/// The loaded configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ConfigOriginal {
    /// The configuration as YAML, secrets replaced by `<secret>`.
    pub original: String,
}

/// Which build of the server runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionInfo {
    /// The version, without a leading `v`.
    pub version: String,
    /// The commit.
    pub revision: String,
    /// The branch.
    pub branch: String,
    /// When it was built, in the builder's notation.
    pub build_date: String,
    /// The Go version.
    pub go_version: String,
}

/// The state of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ClusterStatus {
    /// `ready`, `settling` or `disabled`.
    pub status: String,
}
