//! What Prometheus scrapes, and whom it notifies.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

use crate::{Labels, duration, instants};

/// All targets of all scrape pools.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Targets {
    /// The targets that are scraped.
    pub active_targets: Vec<ActiveTarget>,
    /// The targets that relabelling dropped.
    pub dropped_targets: Vec<DroppedTarget>,
}

/// A target that is scraped.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveTarget {
    /// The labels before relabelling.
    pub discovered_labels: Labels,
    /// The labels its series get.
    pub labels: Labels,
    /// The name of its scrape configuration.
    pub scrape_pool: String,
    /// The address that is scraped.
    pub scrape_url: String,
    /// How the last scrape went.
    pub health: TargetHealth,
    /// The error of the last scrape; empty without one.
    pub last_error: String,
    /// When the last scrape began; `None` before the first.
    #[serde(deserialize_with = "instants::or_never")]
    pub last_scrape: Option<Timestamp>,
    /// How long the last scrape took.
    #[serde(deserialize_with = "duration::seconds")]
    pub last_scrape_duration: Duration,
    /// The time between scrapes.
    #[serde(deserialize_with = "duration::notation")]
    pub scrape_interval: Duration,
    /// How long a scrape may take.
    #[serde(deserialize_with = "duration::notation")]
    pub scrape_timeout: Duration,
}

/// A target that relabelling dropped.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DroppedTarget {
    /// The labels before relabelling.
    pub discovered_labels: Labels,
}

/// How the last scrape of a target went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetHealth {
    /// It succeeded.
    Up,
    /// It failed.
    Down,
    /// Not scraped yet.
    Unknown,
}

/// The Alertmanagers Prometheus knows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alertmanagers {
    /// Those it notifies. Empty for up to five seconds after a start or a reload.
    pub active_alertmanagers: Vec<AlertmanagerAddress>,
    /// Those that relabelling dropped.
    pub dropped_alertmanagers: Vec<AlertmanagerAddress>,
}

/// The address of one Alertmanager.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AlertmanagerAddress {
    /// The address alerts are posted to, path included.
    pub url: Url,
}
