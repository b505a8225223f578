//! `bad_metrics {how}`: `/metrics` tells something wrong; what is counted stays right.

use metrics_plugin::{BadExposition, Distortion};
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BadMetricsOrder {
    how: How,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum How {
    Missing,
    WrongLabels,
    Garbage,
}

/// In force until it is dropped.
pub(super) struct BadMetrics(Distortion);

impl BadMetrics {
    /// To be called when there is none in force.
    pub(super) fn begin(order: &BadMetricsOrder, distortion: &Distortion) -> Self {
        let bad = match order.how {
            How::Missing => BadExposition::RequestMetricsMissing,
            How::WrongLabels => BadExposition::WrongRoutes,
            How::Garbage => BadExposition::Garbage,
        };
        distortion.set(Some(bad));
        Self(distortion.clone())
    }
}

impl Drop for BadMetrics {
    fn drop(&mut self) {
        self.0.set(None);
    }
}
