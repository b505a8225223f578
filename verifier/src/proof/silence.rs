//! Hanging and refused connections: requests went on, and none was answered.

use std::time::Duration;

use firedrill_record::{Ledger, ServiceName};

use super::requests::ended;
use super::verdict::Span;

/// What was taken just before the fault may be answered so long after it: an answer of the service, and of those that
/// waited for it.
const IN_FLIGHT: Duration = Duration::from_millis(500);

/// Requests that ended in an answer of `service`: none while the fault was there, some before, and others that were sent
/// in it ended late or without an answer.
pub(super) fn proof(service: &ServiceName, span: &Span, ledger: &Ledger) -> Result<String, String> {
    let from = span.injected + IN_FLIGHT;
    let bins = || ended(ledger, service, None);
    let answered: u64 = bins()
        .filter(|one| one.from >= from && one.until <= span.ended)
        .map(|one| u64::from(one.bin.count))
        .sum();
    let before: u64 = bins()
        .filter(|one| one.from >= span.before() && one.until <= span.asked)
        .map(|one| u64::from(one.bin.count))
        .sum();
    // Released at the end: sent while the fault was there for certain.
    let released: u64 = bins()
        .filter(|one| one.from >= span.ended)
        .filter(|one| {
            let waited = Duration::from_micros(u64::from(one.bin.shortest_us));
            one.from - waited + IN_FLIGHT < span.ended
        })
        .map(|one| u64::from(one.bin.count))
        .sum();
    let rows = ledger.rows.iter().filter(|row| &row.route.service == service);
    let unanswered: u64 = rows.map(|row| row.refused + row.unknown).sum();
    let numbers = format!(
        "{answered} requests to {service} were answered while the fault was on, {before} before it; {unanswered} were refused or never answered, {released} answered after it"
    );
    if answered == 0 && before > 0 && unanswered + released > 0 { Ok(numbers) } else { Err(numbers) }
}

#[cfg(test)]
mod tests {
    use firedrill_drill::Fault;

    use super::*;
    use crate::checks::fixtures;
    use crate::evidence::Evidence;
    use crate::proof::{Unproved, of_effect};

    fn silent(change: impl FnOnce(&mut Evidence)) -> Result<String, Unproved> {
        let mut evidence = fixtures::alert_evidence();
        let row = &mut evidence.ledger.as_mut().unwrap().rows[0];
        row.bins.retain(|bin| !(1_000..1_800).contains(&bin.index));
        row.unknown = 10;
        change(&mut evidence);
        let fault = Fault::Hang { service: "user".parse().unwrap(), lasts: Duration::from_mins(8) };
        of_effect(&fault, &evidence.faults[0], &evidence)
    }

    #[test]
    fn requests_without_any_answer_prove_it() {
        assert!(silent(|_| {}).unwrap().starts_with("0 requests to user were answered"));
    }

    #[test]
    fn answers_or_no_requests_at_all_prove_nothing() {
        assert!(silent(|it| it.ledger = fixtures::alert_evidence().ledger).is_err());
        assert!(silent(|it| it.ledger.as_mut().unwrap().rows[0].unknown = 0).is_err());
        assert!(silent(|it| it.ledger.as_mut().unwrap().rows[0].bins.clear()).is_err());
    }

    #[test]
    fn requests_that_are_answered_when_it_ends_prove_it_too() {
        let released = silent(|it| {
            let row = &mut it.ledger.as_mut().unwrap().rows[0];
            row.unknown = 0;
            for bin in row.bins.iter_mut().filter(|bin| bin.index == 1_801) {
                bin.shortest_us = 3_000_000;
            }
        });
        assert!(released.unwrap().ends_with("1 answered after it"));
    }
}
