//! The judgement of `truth`: all comparisons of one drill and their sentence.

use firedrill_drill::TruthExpectation;
use firedrill_record::{ExpectationRecord, Ledger, LedgerRow, Reason};

use super::counters::Comparison;
use super::gathered::{Gathered, Problem};
use super::{chats, counters, histograms, upstreams};
use crate::evidence::Evidence;
use crate::plan::Plan;

const KIND: &str = "truth";
/// An interval that holds a larger share of all requests than this proves nothing.
const WIDEST: f64 = 0.5;

/// Judges `expectation` from two settled snapshots of raw counters and the ledger between them.
pub(crate) fn judge(plan: &Plan, expectation: TruthExpectation, evidence: &Evidence) -> ExpectationRecord {
    let about = match (expectation.counters, expectation.histograms) {
        (true, true) => "counters exact, histograms consistent",
        (true, false) => "counters exact",
        (false, true) => "histograms consistent",
        (false, false) => "nothing",
    };
    let gathered = match Gathered::from(plan, evidence) {
        Ok(gathered) => gathered,
        Err((reason, sentence)) => return ExpectationRecord::because(KIND, about, reason, sentence),
    };
    if !expectation.counters && !expectation.histograms {
        return ExpectationRecord::because(KIND, about, Reason::EvidenceMissing, "it compares nothing");
    }
    let mut problems: Vec<Problem> = gathered.unscraped(plan, evidence);
    let mut findings = Vec::new();
    let mut compared = Comparison::default();
    if problems.is_empty() {
        match counters::compare(&gathered) {
            Ok(comparison) => compared = comparison,
            Err(problem) => problems.push(problem),
        }
        if expectation.counters {
            problems.append(&mut compared.problems);
            let (of_chats, more) = chats::compare(&gathered);
            problems.extend(of_chats);
            findings.extend(more);
            match upstreams::compare(&gathered, &compared) {
                Ok((of_upstreams, more)) => {
                    problems.extend(of_upstreams);
                    findings.extend(more);
                }
                Err(problem) => problems.push(problem),
            }
        }
        if expectation.histograms {
            problems.extend(histograms::compare(&gathered));
        }
    }
    // The worst first: a violation is not hidden by what could not be told.
    problems.sort_by_key(|(reason, _)| std::cmp::Reverse(reason.verdict()));
    let mut record = match problems.first() {
        Some((reason, sentence)) => ExpectationRecord::because(KIND, about, *reason, sentence),
        None if answered(gathered.ledger) == 0 => ExpectationRecord::because(
            KIND,
            about,
            Reason::EvidenceMissing,
            "no request of the load was answered, so that nothing was compared",
        ),
        None if compared.total().width() as f64 > WIDEST * compared.total().most as f64 => {
            ExpectationRecord::because(
                KIND,
                about,
                Reason::EvidenceMissing,
                format!("too little is certain: {}", sentence(&gathered, &compared)),
            )
        }
        None => ExpectationRecord::held(KIND, about, sentence(&gathered, &compared)),
    };
    let problems = problems.into_iter().map(|(_, sentence)| sentence);
    record.findings = problems.chain(findings).chain(compared.rows).collect();
    record
}

/// Requests of the load, and those made on their behalf, that were certainly answered.
fn answered(ledger: &Ledger) -> u64 {
    ledger.rows.iter().map(LedgerRow::closed_total).sum()
}

fn sentence(gathered: &Gathered<'_>, compared: &Comparison) -> String {
    let (total, routes) = (compared.total(), compared.routes);
    if total.width() == 0 {
        return format!("{} requests over {routes} routes, each counter equal to the ledger", total.least);
    }
    let mut sentence = format!(
        "between {} and {} requests over {routes} routes, Prometheus has {}: each counter within what nobody can tell, {} in all",
        total.least,
        total.most,
        total.counted,
        total.width()
    );
    for service in gathered.lives.keys() {
        if let Some(of) = compared.services.get(service) {
            sentence = format!(
                "{sentence}; {service} was killed: between {} and {} requests, {} wide, Prometheus has {}",
                of.least,
                of.most,
                of.width(),
                of.counted
            );
        }
    }
    sentence
}

#[cfg(test)]
mod tests {
    use firedrill_record::Verdict;

    use super::*;
    use crate::checks::fixtures::{self, truth_evidence};

    fn judged(evidence: &Evidence) -> ExpectationRecord {
        judge(&fixtures::plan(), TruthExpectation { counters: true, histograms: true }, evidence)
    }

    fn set(evidence: &mut Evidence, metric: &str, more: &[(&str, &str)], value: f64) {
        let after = evidence.counters_after.as_mut().unwrap();
        let series = after
            .series
            .iter_mut()
            .find(|one| {
                one.label("__name__") == metric && more.iter().all(|(name, value)| one.label(name) == *value)
            })
            .expect("the fixture has such a series");
        series.samples.last_mut().unwrap().value = value;
    }

    #[test]
    fn equal_counters_and_consistent_histograms_hold() {
        let record = judged(&truth_evidence());
        assert_eq!(record.verdict, Verdict::Held, "{record:#?}");
        assert!(record.sentence.contains("100 requests"), "{}", record.sentence);
    }

    #[test]
    fn a_counter_one_short_or_one_over_violates() {
        for (value, reason) in [(94.0, Reason::CounterShort), (96.0, Reason::CounterOver)] {
            let mut evidence = truth_evidence();
            set(&mut evidence, "http_requests_total", &[("status", "200")], value);
            assert_eq!(judged(&evidence).reason, Some(reason));
        }
    }

    #[test]
    fn requests_of_unknown_end_widen_the_bound_by_exactly_their_number() {
        let mut evidence = truth_evidence();
        evidence.ledger.as_mut().unwrap().rows[0].unknown = 1;
        set(&mut evidence, "http_requests_total", &[("status", "200")], 96.0);
        set(&mut evidence, "http_request_duration_seconds_count", &[], 101.0);
        set(&mut evidence, "http_request_duration_seconds_bucket", &[("le", "+Inf")], 101.0);
        assert_eq!(judged(&evidence).verdict, Verdict::Held);
        set(&mut evidence, "http_requests_total", &[("status", "200")], 97.0);
        assert_eq!(judged(&evidence).reason, Some(Reason::CounterOver));
    }

    #[test]
    fn requests_that_nobody_sent_violate() {
        let mut evidence = truth_evidence();
        evidence.ledger.as_mut().unwrap().rows.clear();
        assert_eq!(judged(&evidence).reason, Some(Reason::CounterOver));
    }

    #[test]
    fn a_histogram_that_disagrees_with_its_counter_or_the_client_violates() {
        let mut evidence = truth_evidence();
        set(&mut evidence, "http_request_duration_seconds_count", &[], 99.0);
        assert_eq!(judged(&evidence).reason, Some(Reason::HistogramInconsistent));
        let mut evidence = truth_evidence();
        set(&mut evidence, "http_request_duration_seconds_bucket", &[("le", "0.1")], 50.0);
        let record = judged(&evidence);
        assert!(record.sentence.contains("the client saw 100"), "{}", record.sentence);
        let mut evidence = truth_evidence();
        set(&mut evidence, "http_request_duration_seconds_bucket", &[("le", "0.1")], 101.0);
        assert_eq!(judged(&evidence).reason, Some(Reason::HistogramInconsistent));
    }

    #[test]
    fn a_loaded_service_that_is_not_scraped_violates() {
        let mut evidence = truth_evidence();
        evidence.services_up = Ok(vec![]);
        assert_eq!(judged(&evidence).reason, Some(Reason::TargetAbsent));
    }

    #[test]
    fn moving_counters_failed_queries_and_no_load_are_inconclusive() {
        let mut moving = truth_evidence();
        moving.counters_after.as_mut().unwrap().settled = false;
        assert_eq!(judged(&moving).reason, Some(Reason::CountersNotSettled));
        let mut failed = truth_evidence();
        failed.counters_after = Err("connection refused".into());
        assert_eq!(judged(&failed).reason, Some(Reason::QueryFailed));
        let mut no_load = truth_evidence();
        no_load.ledger = None;
        assert_eq!(judged(&no_load).reason, Some(Reason::EvidenceMissing));
    }

    #[test]
    fn a_reset_without_a_fault_violates() {
        let mut evidence = truth_evidence();
        evidence.resets.as_mut().unwrap().insert("user".into(), 1.0);
        assert_eq!(judged(&evidence).reason, Some(Reason::CounterReset));
    }
}
