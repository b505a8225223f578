//! Added latency and slow bodies: the client itself waited so long, and had not before.
//!
//! The times of implied requests are those of the direct request that led to them, which waited for them.

use std::time::Duration;

use firedrill_record::{Ledger, ServiceName};

use super::requests::{Ended, ended};
use super::verdict::Span;

/// What lasts at least this share of the time asked for was slowed.
const SLOW_SHARE: f64 = 0.9;
/// At least this share of the requests must be slowed when answers are late: all of them are.
const OF_ANSWERS: f64 = 0.9;
/// The same when bodies are slow: some answers have none.
const OF_BODIES: f64 = 0.3;
/// Before the fault at most this share of the requests was as slow.
const BEFORE: f64 = 0.1;

pub(super) fn of_answers(
    service: &ServiceName,
    route: Option<&str>,
    added: Duration,
    span: &Span,
    ledger: &Ledger,
) -> Result<String, String> {
    proof(service, route, added, OF_ANSWERS, span, ledger)
}

pub(super) fn of_bodies(
    service: &ServiceName,
    takes: Duration,
    span: &Span,
    ledger: &Ledger,
) -> Result<String, String> {
    proof(service, None, takes, OF_BODIES, span, ledger)
}

fn proof(
    service: &ServiceName,
    route: Option<&str>,
    asked: Duration,
    least_share: f64,
    span: &Span,
    ledger: &Ledger,
) -> Result<String, String> {
    let limit_us = asked.as_secs_f64() * 1e6 * SLOW_SHARE;
    let count = |wanted: &dyn Fn(&Ended<'_>) -> bool| {
        ended(ledger, service, route).filter(wanted).fold((0_u64, 0_u64), |(all, slow), one| {
            let count = u64::from(one.bin.count);
            let is_slow = f64::from(one.bin.shortest_us) >= limit_us;
            (all + count, slow + if is_slow { count } else { 0 })
        })
    };
    // What ends earlier was sent before the fault.
    let from = span.injected + asked;
    let (all, slow) = count(&|one| one.from >= from && one.until <= span.ended);
    let (all_before, slow_before) = count(&|one| one.from >= span.before() && one.until <= span.asked);
    let where_ = route.map_or_else(|| service.to_string(), |route| format!("{service} {route}"));
    let numbers = format!(
        "{slow} of {all} requests to {where_} took {:.0}ms or longer, {slow_before} of {all_before} before the fault; asked for {}ms",
        limit_us / 1000.0,
        asked.as_millis()
    );
    let share = |part: u64, all: u64| if all == 0 { 0.0 } else { part as f64 / all as f64 };
    let proved = slow > 0
        && share(slow, all) >= least_share
        && all_before > 0
        && share(slow_before, all_before) <= BEFORE;
    if proved { Ok(numbers) } else { Err(numbers) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixtures;
    use crate::evidence::Evidence;
    use crate::proof::{Unproved, of_effect};
    use firedrill_drill::Fault;

    fn slowed(during_us: u32, before_us: u32) -> Evidence {
        let mut evidence = fixtures::alert_evidence();
        for bin in &mut evidence.ledger.as_mut().unwrap().rows[0].bins {
            let is_during = (1_040..1_800).contains(&bin.index);
            bin.shortest_us = if is_during { during_us } else { before_us };
        }
        evidence
    }

    fn latency(route: Option<&str>, evidence: &Evidence) -> Result<String, Unproved> {
        let fault = Fault::Latency {
            service: "user".parse().unwrap(),
            added: Duration::from_millis(400),
            route: route.map(str::to_owned),
            lasts: Duration::from_mins(8),
        };
        of_effect(&fault, &evidence.faults[0], evidence)
    }

    #[test]
    fn requests_that_wait_as_long_as_was_added_prove_it() {
        let evidence = slowed(401_000, 1_000);
        assert!(latency(None, &evidence).unwrap().contains("took 360ms or longer"));
        assert!(latency(Some("/users/{id}"), &evidence).is_ok());
    }

    #[test]
    fn requests_that_do_not_wait_or_always_did_prove_nothing() {
        assert!(latency(None, &slowed(100_000, 1_000)).is_err());
        assert!(latency(None, &slowed(401_000, 401_000)).is_err());
        assert!(latency(Some("/users"), &slowed(401_000, 1_000)).unwrap_err().sentence.starts_with("0 of 0"));
    }

    #[test]
    fn bodies_that_take_long_prove_it_although_some_answers_have_none() {
        let mut evidence = slowed(2_000_000, 1_000);
        for bin in &mut evidence.ledger.as_mut().unwrap().rows[0].bins {
            if bin.index % 2 == 0 {
                bin.shortest_us = 1_000;
            }
        }
        let fault = Fault::SlowBody {
            service: "user".parse().unwrap(),
            takes: Duration::from_secs(2),
            lasts: Duration::from_mins(8),
        };
        // Half of them are slow; under added latency that would be too few.
        assert!(of_effect(&fault, &evidence.faults[0], &evidence).is_ok());
        assert!(latency(None, &evidence).is_err());
        assert!(of_effect(&fault, &evidence.faults[0], &slowed(1_000, 1_000)).is_err());
    }
}
