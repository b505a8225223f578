//! Making `/metrics` wrong on purpose, to rehearse what monitoring says of a service whose metrics lie.
//!
//! Counting goes on unchanged; only what is told is distorted.

use std::sync::{Arc, Mutex, PoisonError};

/// How `/metrics` is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadExposition {
    /// `http_requests_total`, `http_request_duration_seconds` and `active_connections` are left out.
    RequestMetricsMissing,
    /// Every value of the label `route` has `/wrong` before it.
    WrongRoutes,
    /// Bytes that no parser accepts, under the usual content type.
    Garbage,
}

/// A handle to what one plugin's `/metrics` tells; clones share it. Nothing is distorted until it is set.
#[derive(Debug, Clone, Default)]
pub struct Distortion {
    in_force: Arc<Mutex<Option<BadExposition>>>,
}

const REQUEST_METRICS: [&str; 3] = ["http_requests", "http_request_duration_seconds", "active_connections"];
const GARBAGE: &[u8] = b"\xff\xfe{{{ \"not metrics\n\0 1 2 three\n";

impl Distortion {
    /// Distorts from the next scrape on, or ends it.
    pub fn set(&self, bad: Option<BadExposition>) {
        *self.in_force.lock().unwrap_or_else(PoisonError::into_inner) = bad;
    }

    pub(crate) fn apply(&self, exposition: String) -> Vec<u8> {
        let bad = *self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        match bad {
            None => exposition.into_bytes(),
            Some(BadExposition::RequestMetricsMissing) => without_request_metrics(&exposition).into_bytes(),
            Some(BadExposition::WrongRoutes) => exposition
                .replace("{route=\"", "{route=\"/wrong")
                .replace(",route=\"", ",route=\"/wrong")
                .into_bytes(),
            Some(BadExposition::Garbage) => GARBAGE.to_vec(),
        }
    }
}

fn without_request_metrics(exposition: &str) -> String {
    let of_a_request_metric = |line: &&str| {
        let name = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
        let end = name.find(['{', ' ']).unwrap_or(name.len());
        REQUEST_METRICS.iter().any(|metric| {
            name[..end]
                .strip_prefix(metric)
                .is_some_and(|suffix| ["", "_total", "_count", "_sum", "_bucket"].contains(&suffix))
        })
    };
    exposition.split_inclusive('\n').filter(|line| !of_a_request_metric(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_request_metrics_are_left_out() {
        let text = "# HELP http_requests_total H.\n# TYPE http_requests_total counter\n\
                    http_requests_total{route=\"/\"} 1\nhttp_request_duration_seconds_bucket{le=\"1\"} 1\n\
                    active_connections 1\nhttp_requests_queued 1\nother{route=\"/\"} 1\n# EOF\n";
        let left = without_request_metrics(text);
        assert_eq!(left, "http_requests_queued 1\nother{route=\"/\"} 1\n# EOF\n");
    }
}
