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
