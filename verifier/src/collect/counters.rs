//! Raw counters of the services, read when they stand still.

use std::time::Duration;

use firedrill_monitoring_api::Prometheus;
use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::counters::is_own_route;
use crate::evidence::{CounterSnapshot, Gathered, Sample, Series};

/// The series that the truth check reads. `service` is the label by which the configuration names a service.
const SELECTOR: &str = "{__name__=~\"http_requests_total|http_request_duration_seconds_(count|bucket)|\
     messages_sent_total|messages_delivered_total|active_connections|upstream_requests_total|\
     process_start_time_seconds\",service!=\"\"}";

/// Reads until every one of `services` is there, the last two scrapes of every series lie after `after` and agree, and nothing but the scrape itself is
/// active; or until `patience` is over, then what was read last, not settled. Returns the raw reply beside it.
pub(super) async fn settled(
    prometheus: &Prometheus,
    services: &[String],
    after: Timestamp,
    scrape: f64,
    patience: Duration,
) -> Gathered<(CounterSnapshot, String)> {
    let end = Instant::now() + patience;
    let mut ticks = interval(Duration::from_secs_f64(scrape.clamp(0.1, 5.0)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let selector = format!("{SELECTOR}[{}ms]", super::watch::millis(4.0 * scrape + 0.5));
        let read = prometheus.query_raw_range(&selector, None).await;
        let out_of_time = Instant::now() >= end;
        match read {
            Ok(reply) => {
                let series: Vec<Series> = reply.parsed.iter().map(super::watch::series).collect();
                let moving = moving(&series, services, after);
                if moving.is_empty() || out_of_time {
                    let snapshot = CounterSnapshot { after, settled: moving.is_empty(), moving, series };
                    return Ok((snapshot, reply.raw));
                }
            }
            Err(error) if out_of_time => return Err(super::watch::chain(&error)),
            Err(_) => {}
        }
    }
}

/// All samples within `window` of the counters that are followed through the restarts of `services`.
pub(super) async fn every_sample(
    prometheus: &Prometheus,
    services: &[String],
    window: &str,
) -> Gathered<Vec<Series>> {
    // Names of services are letters, digits and hyphens: nothing in them is special in a regular expression.
    let selector = format!(
        "{{__name__=~\"http_requests_total|messages_sent_total|messages_delivered_total|upstream_requests_total\",service=~\"{}\"}}[{window}]",
        services.join("|")
    );
    let reply =
        prometheus.query_raw_range(&selector, None).await.map_err(|error| super::watch::chain(&error))?;
    Ok(reply.parsed.iter().map(super::watch::series).collect())
}

/// What has not come to rest, at most ten of it.
fn moving(series: &[Series], services: &[String], after: Timestamp) -> Vec<String> {
    let after = after.as_millisecond();
    let mut moving = Vec::new();
    if series.is_empty() {
        moving.push("no series of any service is there".to_owned());
    }
    for service in services {
        let there = |one: &&Series| {
            one.label("service") == service && one.label("__name__") == "process_start_time_seconds"
        };
        if !series.iter().any(|one| there(&one)) {
            moving.push(format!("{service} was not scraped"));
        }
    }
    for one in series {
        let name = one.label("__name__");
        if is_own_route(one.label("route")) && name != "active_connections" {
            continue;
        }
        let problem = match one.samples.as_slice() {
            [.., before, last] if before.at_ms > after && last.at_ms > after => {
                if name == "active_connections" {
                    (last.value > 1.0).then(|| format!("{} requests are active", last.value))
                } else {
                    differs(*before, *last)
                }
            }
            _ => Some("fewer than two scrapes since".to_owned()),
        };
        if let Some(problem) = problem {
            moving.push(format!("{}: {problem}", crate::counters::name_of(one)));
            if moving.len() == 10 {
                break;
            }
        }
    }
    moving
}

fn differs(before: Sample, last: Sample) -> Option<String> {
    (before.value.to_bits() != last.value.to_bits()).then(|| format!("{} -> {}", before.value, last.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(route: &str, values: [(i64, f64); 2]) -> Series {
        Series {
            labels: [("__name__", "http_requests_total"), ("service", "user"), ("route", route)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            samples: values.map(|(at_ms, value)| Sample { at_ms, value }).to_vec(),
        }
    }

    #[test]
    fn counters_are_settled_when_two_scrapes_after_the_drain_agree() {
        let after = Timestamp::from_millisecond(1000).unwrap();
        let quiet = counter("/users", [(1100, 5.0), (1350, 5.0)]);
        assert!(moving(std::slice::from_ref(&quiet), &[], after).is_empty());
        assert_eq!(moving(&[counter("/users", [(1100, 5.0), (1350, 6.0)])], &[], after).len(), 1);
        assert_eq!(moving(&[counter("/users", [(900, 5.0), (1150, 5.0)])], &[], after).len(), 1);
        assert!(moving(&[counter("/metrics", [(1100, 5.0), (1350, 6.0)])], &[], after).is_empty());
    }

    #[test]
    fn a_service_that_was_not_scraped_is_not_settled() {
        let after = Timestamp::from_millisecond(1000).unwrap();
        let quiet = [counter("/users", [(1100, 5.0), (1350, 5.0)])];
        assert_eq!(moving(&quiet, &["user".to_owned()], after), ["user was not scraped"]);
    }

    #[test]
    fn no_series_at_all_is_not_settled() {
        assert_eq!(moving(&[], &[], Timestamp::UNIX_EPOCH).len(), 1);
    }
}
