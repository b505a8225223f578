//! `latency {added_ms, route?}`: requests, of all routes or of one, are begun later.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::requests::LONGEST_DELAY_MS;
use crate::error::ApiError;

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LatencyOrder {
    added_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<String>,
}

/// Decides how long a request has to wait.
#[derive(Debug)]
pub(super) struct Latency {
    added: Duration,
    route: Option<String>,
}

impl LatencyOrder {
    /// `templates` are the routes that there are.
    pub(super) fn check(&self, templates: &[String]) -> Result<(), ApiError> {
        if !(1..=LONGEST_DELAY_MS).contains(&self.added_ms) {
            return Err(ApiError::invalid(format!("latency.added_ms must be 1 to {LONGEST_DELAY_MS}")));
        }
        match &self.route {
            Some(route) if !templates.contains(route) => {
                Err(ApiError::invalid(format!("latency.route must be one of {}", templates.join(", "))))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Latency {
    pub(super) fn new(order: &LatencyOrder) -> Self {
        Self { added: Duration::from_millis(order.added_ms), route: order.route.clone() }
    }

    pub(super) fn of(&self, route: &str) -> Option<Duration> {
        self.route.as_ref().is_none_or(|only| only == route).then_some(self.added)
    }
}
