//! Histograms against their counters, themselves, and the latencies of the client.

use std::collections::{BTreeMap, BTreeSet};

use firedrill_record::{LatencyHistogram, Reason, Route};

use super::gathered::{Gathered, Problem, name};
use crate::counters::{name_of, route_of};

/// Compares every route's histogram. Of a service that was killed only its last life is compared, and not with the
/// client, who saw all of them.
pub(super) fn compare(gathered: &Gathered<'_>) -> Vec<Problem> {
    let counts = by_route(gathered, "http_request_duration_seconds_count");
    let counters = by_route(gathered, "http_requests_total");
    let (counts, counters) = match (counts, counters) {
        (Ok(counts), Ok(counters)) => (counts, counters),
        (Err(problem), _) | (_, Err(problem)) => return vec![problem],
    };
    let mut problems = Vec::new();
    let routes: BTreeSet<&Route> = counts.keys().chain(counters.keys()).collect();
    for route in routes {
        let (count, counter) = (counts.get(route).copied(), counters.get(route).copied());
        if count != counter {
            problems.push((
                Reason::HistogramInconsistent,
                format!("{}: histogram count {count:?}, counter {counter:?}", name(route)),
            ));
        }
    }
    problems.extend(compare_buckets(gathered, &counts));
    problems
}

/// Gains of `metric` summed over all labels but service, method and route.
fn by_route(gathered: &Gathered<'_>, metric: &str) -> Result<BTreeMap<Route, u64>, Problem> {
    let mut sums = BTreeMap::new();
    for (series, gained) in gathered.gains_since_last_start(metric)? {
        if let Some(route) = route_of(series) {
            *sums.entry(route).or_default() += gained;
        }
    }
    if sums.is_empty() { Err((Reason::MetricAbsent, format!("there is no {metric}"))) } else { Ok(sums) }
}

/// Buckets are monotone, the last equals the count, and each holds at least as many requests as the client saw end by
/// its bound: a service never needs longer than its client waits.
fn compare_buckets(gathered: &Gathered<'_>, counts: &BTreeMap<Route, u64>) -> Vec<Problem> {
    let gains = match gathered.gains_since_last_start("http_request_duration_seconds_bucket") {
        Ok(gains) => gains,
        Err(problem) => return vec![problem],
    };
    let mut buckets: BTreeMap<Route, Vec<(f64, u64)>> = BTreeMap::new();
    for (series, gained) in gains {
        let Some(route) = route_of(series) else { continue };
        let Ok(bound) = series.label("le").parse::<f64>() else {
            return vec![(
                Reason::HistogramInconsistent,
                format!("{} has no bound that is a number", name_of(series)),
            )];
        };
        buckets.entry(route).or_default().push((bound, gained));
    }
    let mut problems = Vec::new();
    for (route, count) in counts {
        let mut of_route = buckets.remove(route).unwrap_or_default();
        of_route.sort_by(|a, b| a.0.total_cmp(&b.0));
        let direct = gathered.ledger.rows.iter().find(|row| row.direct && &row.route == route);
        let client = direct.filter(|_| !gathered.was_killed(route.service.as_str()));
        problems.extend(
            bucket_problem(&of_route, *count, client.map(|row| &row.latency))
                .map(|why| (Reason::HistogramInconsistent, format!("{}: {why}", name(route)))),
        );
    }
    problems
}

fn bucket_problem(buckets: &[(f64, u64)], count: u64, client: Option<&LatencyHistogram>) -> Option<String> {
    let Some((last, in_last)) = buckets.last() else { return Some("no buckets".to_owned()) };
    if !last.is_infinite() || *in_last != count {
        return Some(format!("the bucket up to {last} holds {in_last}, the count is {count}"));
    }
    if let Some(pair) = buckets.windows(2).find(|pair| pair[0].1 > pair[1].1) {
        return Some(format!(
            "the bucket up to {} holds {}, more than the {} up to {}",
            pair[0].0, pair[0].1, pair[1].1, pair[1].0
        ));
    }
    let client = client?;
    buckets.iter().filter(|(bound, _)| bound.is_finite()).find_map(|(bound, held)| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounds are seconds")]
        let seen = client.count_at_most((bound * 1e6) as u64);
        (seen > *held)
            .then(|| format!("the client saw {seen} answers within {bound}s, the service claims {held}"))
    })
}
