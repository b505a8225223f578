//! Chat messages: what the service counted against what its members sent and heard.

use std::collections::BTreeSet;

use firedrill_record::{ChatTotals, Reason, ServiceName};

use super::counters::between;
use super::gathered::{Gathered, Problem};

/// Messages sent: those that came back, and at most those of unknown end more. Deliveries: once every connection ended
/// with a closing handshake nothing that was written was left unread, so that they are those the members heard; a message
/// of unknown end may have been written once to each connection.
///
/// The second list are findings that are no problem.
pub(super) fn compare(gathered: &Gathered<'_>) -> (Vec<Problem>, Vec<String>) {
    let services: BTreeSet<_> = gathered.ledger.chats.iter().map(|chat| &chat.service).collect();
    let mut problems = Vec::new();
    let mut findings = Vec::new();
    for service in services {
        let sum = |field: fn(&ChatTotals) -> u64| -> u64 {
            gathered.ledger.chats.iter().filter(|chat| &chat.service == service).map(field).sum()
        };
        let (sent, unknown) = (sum(|chat| chat.sent), sum(|chat| chat.unknown));
        let connections = sum(|chat| chat.connections);
        let heard = sum(|chat| chat.delivered) + sum(|chat| chat.duplicated);
        problems.extend(missed(gathered, service, sum(|chat| chat.lost), sum(|chat| chat.duplicated)));
        let open = connections.saturating_sub(sum(|chat| chat.closed_cleanly));
        let killed = gathered.was_killed(service.as_str());
        // What a killed service had counted since its last scrape is gone.
        let least = |certain: u64| if killed { 0 } else { certain };
        problems.extend(problem(gathered, service, "messages_sent_total", least(sent), Some(sent + unknown)));
        let most = (open == 0).then_some(heard + unknown * connections);
        problems.extend(problem(gathered, service, "messages_delivered_total", least(heard), most));
        if open > 0 && killed {
            findings.push(format!(
                "{service} was killed with {open} connections: what it wrote to them last is not known, its deliveries have no upper bound"
            ));
        } else if open > 0 {
            problems.push((
                Reason::EvidenceMissing,
                format!("{open} chat connections ended without a closing handshake: messages in flight are not known"),
            ));
        }
        if unknown > 0 || sum(|chat| chat.reconnected) > 0 {
            findings.push(format!(
                "{service}: {} messages, {unknown} of unknown end; {} connections made again",
                between(sent, sent + unknown),
                sum(|chat| chat.reconnected)
            ));
        }
    }
    (problems, findings)
}

/// Every message is delivered once to each member of its room. What was lost while a part was killed may have been lost
/// with it: that cannot be told.
fn missed(gathered: &Gathered<'_>, service: &ServiceName, lost: u64, duplicated: u64) -> Option<Problem> {
    if lost == 0 && duplicated == 0 {
        return None;
    }
    let what = format!("{lost} deliveries of {service} were lost and {duplicated} came twice");
    if gathered.any_kill {
        return Some((Reason::EvidenceMissing, format!("{what}, and a part was killed meanwhile")));
    }
    Some((Reason::MessagesLost, what))
}

fn problem(
    gathered: &Gathered<'_>,
    service: &ServiceName,
    metric: &str,
    least: u64,
    most: Option<u64>,
) -> Option<Problem> {
    let gains = match gathered.gains(metric) {
        Ok(gains) => gains,
        Err(problem) => return Some(problem),
    };
    let own: Vec<u64> = gains
        .into_iter()
        .filter(|(series, _)| series.label("service") == service.as_str())
        .map(|(_, gained)| gained)
        .collect();
    if own.is_empty() {
        return Some((Reason::MetricAbsent, format!("{service} has no {metric}")));
    }
    let counted: u64 = own.into_iter().sum();
    if counted >= least && most.is_none_or(|most| counted <= most) {
        return None;
    }
    let ledger = most.map_or_else(|| format!("at least {least}"), |most| between(least, most));
    Some((
        Reason::MessagesMiscounted,
        format!("{metric} of {service}: Prometheus has {counted}, the ledger {ledger}"),
    ))
}

#[cfg(test)]
mod tests {
    use firedrill_drill::TruthExpectation;
    use firedrill_record::{LatencyHistogram, Verdict};

    use super::*;
    use crate::checks::fixtures::{self, truth_evidence};
    use crate::checks::truth::judge;

    /// Two members who sent ten messages and heard all of them; the service counted `sent` and `delivered`.
    fn judged(sent: f64, delivered: f64, change: impl FnOnce(&mut ChatTotals)) -> (Verdict, Option<Reason>) {
        let mut evidence = truth_evidence();
        let mut chat = ChatTotals {
            service: "user".parse().unwrap(),
            seconds: 1.0,
            rate: 10.0,
            connections: 2,
            closed_cleanly: 2,
            reconnected: 0,
            unknown: 0,
            sent: 10,
            expected_deliveries: 20,
            delivered: 20,
            lost: 0,
            duplicated: 0,
            latency: LatencyHistogram::default(),
        };
        change(&mut chat);
        evidence.ledger.as_mut().unwrap().chats.push(chat);
        for (metric, value) in [("messages_sent_total", sent), ("messages_delivered_total", delivered)] {
            let series = fixtures::series(metric, &[("service", "user")], value);
            evidence.counters_after.as_mut().unwrap().series.push(series);
        }
        let expectation = TruthExpectation { counters: true, histograms: true };
        let record = judge(&fixtures::plan(), expectation, &evidence);
        (record.verdict, record.reason)
    }

    #[test]
    fn messages_are_exact_after_a_closing_handshake_and_unknown_without() {
        assert_eq!(judged(10.0, 20.0, |_| {}).0, Verdict::Held);
        assert_eq!(judged(9.0, 20.0, |_| {}).1, Some(Reason::MessagesMiscounted));
        assert_eq!(judged(10.0, 21.0, |_| {}).1, Some(Reason::MessagesMiscounted));
        assert_eq!(judged(10.0, 20.0, |chat| chat.closed_cleanly = 1).1, Some(Reason::EvidenceMissing));
        // What certainly was must be counted all the same.
        assert_eq!(judged(9.0, 20.0, |chat| chat.closed_cleanly = 1).1, Some(Reason::MessagesMiscounted));
    }

    #[test]
    fn messages_of_unknown_end_widen_the_bounds_by_what_can_have_become_of_them() {
        let unknown = |chat: &mut ChatTotals| chat.unknown = 1;
        assert_eq!(judged(11.0, 22.0, unknown).0, Verdict::Held);
        assert_eq!(judged(12.0, 22.0, unknown).1, Some(Reason::MessagesMiscounted));
        assert_eq!(judged(11.0, 23.0, unknown).1, Some(Reason::MessagesMiscounted));
    }

    #[test]
    fn a_message_that_a_member_missed_or_got_twice_violates_however_honestly_it_is_counted() {
        let lost = |chat: &mut ChatTotals| (chat.delivered, chat.lost) = (19, 1);
        assert_eq!(judged(10.0, 19.0, lost).1, Some(Reason::MessagesLost));
        let twice = |chat: &mut ChatTotals| chat.duplicated = 1;
        assert_eq!(judged(10.0, 21.0, twice).1, Some(Reason::MessagesLost));
    }
}
