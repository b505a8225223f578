//! The second witness: what the gateway counted of its calls against what the called services counted themselves.
//!
//! Both sides are Prometheus's, so that a disagreement means that one service's metrics lie. It also tells what the
//! ledger cannot: how many of the requests of unknown end reached a service.

use std::collections::{BTreeMap, BTreeSet};

use firedrill_record::{Reason, ServiceName};

use super::counters::{self, Comparison};
use super::gathered::{Gathered, Problem};

const METRIC: &str = "upstream_requests_total";

/// The status of a request whose client left before the answer.
const CLIENT_LEFT: u16 = 499;

/// Calls of one service by all that count their calls.
#[derive(Debug, Default)]
struct Calls {
    /// Answers, by the class of their status.
    answered: BTreeMap<u16, u64>,
    /// Sent, and no answer came: the service may have counted each of them, with any status.
    unanswered: u64,
    /// Some of the callers was killed: it may have made more calls than it counted.
    caller_was_killed: bool,
}

/// Per service and class of status: answers ≤ what the service counted of these calls ≤ answers + unanswered.
///
/// The second list are findings that are no problem.
pub(super) fn compare(
    gathered: &Gathered<'_>,
    comparison: &Comparison,
) -> Result<(Vec<Problem>, Vec<String>), Problem> {
    let gains = gathered.gains(METRIC)?;
    if gains.is_empty() {
        return Ok((Vec::new(), vec![format!("no second witness: there is no {METRIC}")]));
    }
    let own = counters::gains(gathered)?;
    let others = gathered.expected(|row| row.direct);
    // A caller whose own client leaves gives its call up, and counts it nowhere.
    let callers: BTreeSet<&str> = gains.iter().map(|(series, _)| series.label("service")).collect();
    let given_up: u64 = own
        .iter()
        .filter(|(route, _)| callers.contains(route.service.as_str()))
        .filter_map(|(_, by_status)| by_status.get(&CLIENT_LEFT))
        .sum();
    let mut calls: BTreeMap<ServiceName, Calls> = BTreeMap::new();
    for (series, gained) in gains {
        let Ok(upstream) = series.label("upstream").parse() else { continue };
        let of: &mut Calls = calls.entry(upstream).or_default();
        of.caller_was_killed |= gathered.was_killed(series.label("service"));
        match (series.label("outcome"), class_of(series.label("outcome"))) {
            (_, Some(class)) => *of.answered.entry(class).or_default() += gained,
            ("connect_error", None) => {}
            (_, None) => of.unanswered += gained,
        }
    }
    let mut problems = Vec::new();
    let mut findings = Vec::new();
    for (upstream, calls) in &calls {
        let rows = || own.iter().filter(|(route, _)| &route.service == upstream);
        if rows().next().is_none() {
            continue;
        }
        let direct = || others.iter().filter(|(route, _)| &route.service == upstream);
        let unknown: u64 = direct().map(|(_, one)| one.unknown).sum::<u64>() + calls.unanswered + given_up;
        let in_class = |counts: &BTreeMap<u16, u64>, class| -> u64 {
            counts.iter().filter(|(status, _)| *status / 100 == class).map(|(_, count)| count).sum()
        };
        let mut told = 0;
        for class in 1..=5 {
            let counted: u64 = rows().map(|(_, by_status)| in_class(by_status, class)).sum();
            let answered = calls.answered.get(&class).copied().unwrap_or(0);
            let least = answered + direct().map(|(_, one)| in_class(&one.closed, class)).sum::<u64>();
            told += least;
            // What a killed service had counted since its last scrape is gone, on either side.
            let short = counted < least && !gathered.was_killed(upstream.as_str());
            let over = counted > least + unknown && !calls.caller_was_killed;
            if short || over {
                problems.push((
                    Reason::UpstreamMiscounted,
                    format!(
                        "{upstream} counted {counted} requests with {class}xx, those who call it {}",
                        counters::between(least, least + unknown)
                    ),
                ));
            }
        }
        if let Some(interval) = comparison.services.get(upstream).filter(|interval| interval.width() > 0) {
            findings.push(format!(
                "{upstream}: ledger {}, those who call it say {}, Prometheus {}",
                counters::between(interval.least, interval.most),
                counters::between(told, told + unknown),
                interval.counted
            ));
        }
    }
    Ok((problems, findings))
}

/// 2 for `2xx`; none for what is no answer.
fn class_of(outcome: &str) -> Option<u16> {
    outcome.strip_suffix("xx")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use firedrill_drill::TruthExpectation;
    use firedrill_record::{ExpectationRecord, Verdict};

    use crate::checks::fixtures::{self, truth_evidence};
    use crate::checks::truth::judge;
    use crate::evidence::Evidence;
    use firedrill_record::Reason;

    /// The user service counted 95 requests with 2xx and 5 with 5xx, all of them implied by others; the gateway counted
    /// its calls by `outcomes`.
    fn judged(outcomes: &[(&str, f64)], change: impl FnOnce(&mut Evidence)) -> ExpectationRecord {
        let mut evidence = truth_evidence();
        evidence.ledger.as_mut().unwrap().rows[0].direct = false;
        for (outcome, value) in outcomes {
            let labels = [("service", "gateway"), ("upstream", "user"), ("outcome", outcome)];
            let series = fixtures::series("upstream_requests_total", &labels, *value);
            evidence.counters_after.as_mut().unwrap().series.push(series);
        }
        change(&mut evidence);
        judge(&fixtures::plan(), TruthExpectation { counters: true, histograms: true }, &evidence)
    }

    #[test]
    fn two_services_that_agree_hold_and_two_that_do_not_violate() {
        let counted = |fine, failed| judged(&[("2xx", fine), ("5xx", failed)], |_| {});
        assert_eq!(counted(95.0, 5.0).verdict, Verdict::Held);
        assert_eq!(counted(96.0, 5.0).reason, Some(Reason::UpstreamMiscounted));
        assert_eq!(counted(95.0, 4.0).reason, Some(Reason::UpstreamMiscounted));
    }

    #[test]
    fn calls_without_an_answer_may_have_been_counted_and_those_never_sent_may_not() {
        assert_eq!(judged(&[("2xx", 93.0), ("5xx", 5.0), ("timeout", 2.0)], |_| {}).verdict, Verdict::Held);
        let never_sent = judged(&[("2xx", 93.0), ("5xx", 5.0), ("connect_error", 2.0)], |_| {});
        assert_eq!(never_sent.reason, Some(Reason::UpstreamMiscounted), "{}", never_sent.sentence);
    }

    #[test]
    fn requests_sent_directly_are_none_of_the_gateways() {
        let direct = |outcomes: &[(&str, f64)]| {
            judged(outcomes, |it| it.ledger.as_mut().unwrap().rows[0].direct = true)
        };
        assert_eq!(direct(&[("2xx", 0.0), ("5xx", 0.0)]).verdict, Verdict::Held);
        assert_eq!(direct(&[("2xx", 1.0), ("5xx", 0.0)]).reason, Some(Reason::UpstreamMiscounted));
    }

    #[test]
    fn the_second_witness_narrows_what_the_ledger_leaves_unknown() {
        let record = judged(&[("2xx", 95.0), ("5xx", 5.0)], |it| {
            it.ledger.as_mut().unwrap().rows[0].closed.insert(200, 90);
            it.ledger.as_mut().unwrap().rows[0].unknown = 10;
        });
        assert_eq!(record.verdict, Verdict::Held, "{}", record.sentence);
        let said = "user: ledger 95 to 105, those who call it say 100, Prometheus 100";
        assert!(record.findings.iter().any(|one| one == said), "{:?}", record.findings);
    }

    #[test]
    fn without_the_gateways_counter_there_is_no_second_witness() {
        let record = judged(&[], |_| {});
        assert_eq!(record.verdict, Verdict::Held);
        assert!(record.findings.iter().any(|one| one.starts_with("no second witness")));
    }
}
