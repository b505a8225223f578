//! Request counters against the ledger, route by route and status by status.

use std::collections::{BTreeMap, BTreeSet};

use firedrill_record::{Reason, Route, ServiceName};

use super::gathered::{Gathered, Problem, name};
use crate::counters::{Expected, Gains, name_of, route_of};

/// Requests of one service in all: what Prometheus must have at least, can have at most, and has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) least: u64,
    pub(super) most: u64,
    pub(super) counted: u64,
}

impl Interval {
    /// How many requests nobody can tell.
    pub(super) fn width(self) -> u64 {
        self.most - self.least
    }

    fn add(&mut self, other: Self) {
        self.least += other.least;
        self.most += other.most;
        self.counted += other.counted;
    }
}

/// What came of the comparison.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) routes: usize,
    pub(super) services: BTreeMap<ServiceName, Interval>,
    pub(super) rows: Vec<String>,
    pub(super) problems: Vec<Problem>,
}

impl Comparison {
    /// All services together.
    pub(super) fn total(&self) -> Interval {
        let mut total = Interval::default();
        self.services.values().for_each(|one| total.add(*one));
        total
    }
}

/// What the counter of one route must show.
struct Bounds {
    /// At least, by status.
    least: BTreeMap<u16, u64>,
    /// At most, by status, and `unknown` more in all.
    closed: BTreeMap<u16, u64>,
    unknown: u64,
}

/// Compares what `http_requests_total` gained with the ledger.
pub(super) fn compare(gathered: &Gathered<'_>) -> Result<Comparison, Problem> {
    let gains = gains(gathered)?;
    let expected = gathered.expected(|_| true);
    let mut comparison = Comparison::default();
    let nothing = BTreeMap::new();
    let routes: BTreeSet<&Route> = gains.keys().chain(expected.keys()).collect();
    for route in routes {
        let gained = gains.get(route).unwrap_or(&nothing);
        let bounds = bounds(gathered, route, expected.get(route).cloned().unwrap_or_default());
        let interval = Interval {
            least: bounds.least.values().sum(),
            most: bounds.closed.values().sum::<u64>() + bounds.unknown,
            counted: gained.values().sum(),
        };
        if interval == Interval::default() {
            continue;
        }
        comparison.routes += 1;
        comparison.services.entry(route.service.clone()).or_default().add(interval);
        let before = comparison.problems.len();
        comparison.problems.extend(problems(route, gained, &bounds, interval));
        let sign = if comparison.problems.len() == before { "=" } else { "≠" };
        let ledger = between(interval.least, interval.most);
        comparison.rows.push(format!(
            "{}: ledger {ledger} {sign} Prometheus {}",
            name(route),
            interval.counted
        ));
    }
    Ok(comparison)
}

/// What every route's counter gained, by status.
pub(super) fn gains(gathered: &Gathered<'_>) -> Result<Gains, Problem> {
    let mut gains = Gains::new();
    for (series, gained) in gathered.gains("http_requests_total")? {
        let Some(route) = route_of(series) else { continue };
        let status = series.label("status").parse().map_err(|_| {
            (Reason::CounterReset, format!("{} has a status that is no number", name_of(series)))
        })?;
        *gains.entry(route).or_default().entry(status).or_default() += gained;
    }
    Ok(gains)
}

/// A killed service took what it had counted since its last scrape with it: only what was acknowledged before is sure.
fn bounds(gathered: &Gathered<'_>, route: &Route, Expected { closed, unknown }: Expected) -> Bounds {
    let least = match gathered.lives.get(&route.service) {
        None => closed.clone(),
        Some(lives) => {
            let mut least = BTreeMap::new();
            for row in gathered.ledger.rows.iter().filter(|row| row.route == *route) {
                for (status, count) in lives.acknowledged(row, gathered.ledger.zero, gathered.ledger.bin_ms) {
                    *least.entry(status).or_default() += count;
                }
            }
            least
        }
    };
    Bounds { least, closed, unknown }
}

fn problems(route: &Route, gained: &BTreeMap<u16, u64>, bounds: &Bounds, all: Interval) -> Vec<Problem> {
    let statuses: BTreeSet<u16> = gained.keys().chain(bounds.closed.keys()).copied().collect();
    let of = |counts: &BTreeMap<u16, u64>, status| counts.get(&status).copied().unwrap_or(0);
    let mut problems = Vec::new();
    for status in statuses {
        let counted = of(gained, status);
        let least = of(&bounds.least, status);
        let most = of(&bounds.closed, status) + bounds.unknown;
        let reason = match counted {
            _ if counted < least => Reason::CounterShort,
            _ if counted > most => Reason::CounterOver,
            _ => continue,
        };
        let ledger = between(least, most);
        problems.push((
            reason,
            format!("{} {status}: Prometheus has {counted}, the ledger {ledger}", name(route)),
        ));
    }
    if problems.is_empty() && all.counted > all.most {
        problems.push((
            Reason::CounterOver,
            format!(
                "{}: Prometheus has {} in all, the ledger at most {}",
                name(route),
                all.counted,
                all.most
            ),
        ));
    }
    problems
}

/// `5`, or `5 to 8`.
pub(super) fn between(least: u64, most: u64) -> String {
    if least == most { least.to_string() } else { format!("{least} to {most}") }
}
