//! Metrics whose names say that their value follows real time, whatever the drill does.
//!
//! Names are conventions of Prometheus and of its exporters; what no convention covers is not known here.

use crate::labels::MatchOperator;
use crate::promql::selectors::SelectorInfo;

/// Ends of the names of counters and of the parts of histograms and summaries.
const COUNTERS: [&str; 4] = ["_total", "_count", "_sum", "_bucket"];

/// Moments of the clock, as seconds or milliseconds since 1970.
const MOMENTS: [&str; 9] = [
    "_timestamp",
    "_timestamp_seconds",
    "_timestamp_in_seconds",
    "_timestamp_ms",
    "_start_time_seconds",
    "_boot_time_seconds",
    "node_time_seconds",
    "_cert_expiry",
    "ALERTS_FOR_STATE",
];

/// What may be such a moment, or something else.
const PERHAPS_MOMENTS: [&str; 4] = ["_start_time", "_completion_time", "_schedule_time", "_created"];

/// What may follow `uptime` in a name that counts seconds since a start; a ratio of uptime counts none.
const UPTIMES: [&str; 7] =
    ["", "_seconds", "_in_seconds", "_ms", "_milliseconds", "_total", "_seconds_total"];

/// Loads that a kernel averages over real minutes.
const KERNEL_AVERAGES: [&str; 7] = [
    "node_load1",
    "node_load5",
    "node_load15",
    "system_load1",
    "system_load5",
    "system_load15",
    "container_cpu_load_average_10s",
];

/// Parts of names of durations that grow, or shrink, by a second each second.
const ELAPSING: [&str; 6] =
    ["_age_seconds", "_ttl_seconds", "_lag_seconds", "_seconds_behind", "seconds_behind_", "_lag_in_seconds"];

/// What Prometheus says of its own intervals.
const OWN_INTERVALS: [&str; 2] =
    ["prometheus_rule_group_interval_seconds", "prometheus_target_interval_length_seconds"];

/// What can be said of a raw metric's value in compressed time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reading {
    /// Nothing speaks against it.
    Plain,
    /// It is faithful only if something holds.
    Assumed(&'static str),
    /// It follows real time.
    Real(&'static str),
}

/// Whether a name is that of a counter, or of a part of a histogram or summary that counts.
pub(super) fn is_counter(metric: &str) -> bool {
    COUNTERS.iter().any(|end| metric.ends_with(end))
}

/// Whether a name is that of something a drill moves: whether a target is up, restarts, firing alerts.
pub(super) fn is_of_the_drill(metric: &str) -> bool {
    matches!(metric, "up" | "ALERTS" | "probe_success")
        || [
            "_up",
            "_start_time_seconds",
            "_boot_time_seconds",
            "_restarts",
            "_restarts_total",
            "_restart_total",
        ]
        .iter()
        .any(|end| metric.ends_with(end))
}

/// What the name and the matchers of a raw metric say of its value.
pub(super) fn reading(selector: &SelectorInfo) -> Reading {
    let Some(metric) = selector.metric.as_deref() else { return Reading::Plain };
    // A name with a colon is recorded: its rule says what it is.
    if metric.contains(':') {
        return Reading::Plain;
    }
    let ends_with_one_of = |ends: &[&str]| ends.iter().any(|end| metric.ends_with(end));
    let uptime = metric.split_once("uptime").is_some_and(|(_, rest)| UPTIMES.contains(&rest));
    if KERNEL_AVERAGES.contains(&metric) {
        Reading::Real("is averaged by the kernel over real time")
    } else if uptime {
        Reading::Real("counts the seconds of the clock, which is not compressed")
    } else if ends_with_one_of(&MOMENTS) {
        Reading::Real("is a moment of the clock, which is not compressed")
    } else if ends_with_one_of(&PERHAPS_MOMENTS) {
        Reading::Assumed("may be a moment of the clock: it is assumed to be something else")
    } else if OWN_INTERVALS.contains(&metric) {
        Reading::Assumed("is an interval of Prometheus, which is compressed itself")
    } else if ELAPSING.iter().any(|part| metric.contains(part)) {
        Reading::Assumed("may count real seconds: it is assumed to be measured, not to pass")
    } else if is_quantile_of_a_summary(selector) {
        Reading::Assumed("is a quantile that its process takes over real minutes")
    } else {
        Reading::Plain
    }
}

fn is_quantile_of_a_summary(selector: &SelectorInfo) -> bool {
    selector.matchers.iter().any(|matcher| {
        matcher.name() == "quantile"
            && matches!(matcher.operator(), MatchOperator::Equal | MatchOperator::Regex)
            && !matcher.value().is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::{Reading, reading};
    use crate::promql::selectors::selectors;

    fn of(selector: &str) -> Reading {
        reading(&selectors(selector).unwrap()[0])
    }

    #[test]
    fn moments_uptimes_and_load_averages_follow_the_clock() {
        for metric in [
            "process_start_time_seconds",
            "node_boot_time_seconds",
            "redis_rdb_last_save_timestamp_seconds",
            "probe_ssl_earliest_cert_expiry",
            "x_timestamp",
            "redis_uptime_in_seconds",
            "node_load15",
        ] {
            assert!(matches!(of(metric), Reading::Real(_)), "{metric}");
        }
    }

    #[test]
    fn counters_and_recorded_metrics_are_no_moments() {
        for metric in [
            "duplicate_timestamp_total",
            "node_cpu_seconds_total",
            "job:uptime",
            "a_created_total",
            "uptime_ratio",
        ] {
            assert_eq!(of(metric), Reading::Plain, "{metric}");
        }
    }

    #[test]
    fn quantiles_of_summaries_and_ages_and_what_may_be_a_moment_are_assumed() {
        for selector in [
            r#"x_seconds{quantile="0.9"}"#,
            "x_lag_seconds",
            "kube_pod_created",
            "mysql_slave_status_seconds_behind_master",
        ] {
            assert!(matches!(of(selector), Reading::Assumed(_)), "{selector}");
        }
        assert_eq!(of(r#"x_seconds{quantile=""}"#), Reading::Plain);
    }
}
