//! Judging a drill: a pure function of its plan and its evidence.

use std::collections::BTreeMap;

use firedrill_drill::Expectation;
use firedrill_record::{
    ArrivalRecord, DrillRecord, EvidenceError, EvidenceFolder, EvidenceRef, ExpectationRecord,
    LatencyHistogram, Ledger, LoadRecord, Reason, TimelinePoint, Verdict,
};
use firedrill_rulebook::PrometheusConfig;
use jiff::Timestamp;

use crate::checks::alert::Outlook;
use crate::checks::{alert, load, metric, quiet, truth};
use crate::evidence::{EndedBecause, Evidence};
use crate::host::{BUSY, Usage};
use crate::plan::Plan;
use crate::proof;
use crate::resources;

/// Judges every expectation of `plan` and sums them up.
pub fn judge(plan: &Plan, evidence: &Evidence) -> DrillRecord {
    let scrape = evidence
        .configuration
        .as_ref()
        .ok()
        .and_then(|live| PrometheusConfig::parse(&live.prometheus_yaml).ok())
        .map(|prometheus| prometheus.scrape_interval.as_secs_f64());
    let expectations: Vec<ExpectationRecord> = plan
        .expect
        .iter()
        .enumerate()
        .map(|(index, expectation)| {
            let judged = match expectation {
                Expectation::Alert(it) => alert::judge(plan, index, it, evidence),
                Expectation::Quiet(it) => quiet::judge(plan, it, evidence),
                Expectation::Truth(it) => truth::judge(plan, *it, evidence),
                Expectation::Load(it) => load::judge(it, evidence),
                Expectation::Metric(it) => metric::judge(index, it, scrape, evidence),
            };
            let judged = without_its_fault(cut_short(judged, plan, evidence), plan, evidence);
            with_evidence(on_a_busy_host(judged, evidence), expectation)
        })
        .collect();
    let verdict = Verdict::worst(expectations.iter().map(|one| one.verdict));
    let mut faults = evidence.faults.clone();
    for (position, record) in faults.iter_mut().enumerate() {
        record.proof = proof::proof_of_effect(plan, evidence, position).ok();
    }
    DrillRecord {
        name: plan.drill.clone(),
        about: plan.about.clone(),
        file: plan.file.clone(),
        load_began: evidence.ledger.as_ref().map(|ledger| ledger.zero),
        seconds: evidence.ended.duration_since(evidence.began).as_secs_f64(),
        verdict,
        must_be: plan.must_be,
        passed: DrillRecord::passes(verdict, plan.must_be, &expectations),
        faults,
        load: evidence.ledger.as_ref().map(|ledger| load_of(ledger, evidence.ended)).unwrap_or_default(),
        parts: resources::parts(evidence),
        scraped: resources::scraped(plan, evidence),
        expectations,
    }
}

/// Judges a drill again from its folder, which holds `plan.json` and `evidence/evidence.json`.
///
/// # Errors
/// When one of the two cannot be read.
pub fn judge_again(drill: &EvidenceFolder, evidence: &EvidenceFolder) -> Result<DrillRecord, EvidenceError> {
    let plan: Plan = drill.read_json("plan.json")?;
    let evidence: Evidence = evidence.read_json("evidence.json")?;
    Ok(judge(&plan, &evidence))
}

/// Whether more waiting can change anything: the latest instant at which every alert is decided, none when all are.
/// Before the first fault it is [`Outlook::BeforeFault`].
pub fn outlook(plan: &Plan, evidence: &Evidence) -> Outlook {
    let mut latest = Outlook::Decided;
    for expectation in &plan.expect {
        let Expectation::Alert(it) = expectation else { continue };
        latest = match (latest, alert::outlook(plan, it, evidence)) {
            (Outlook::BeforeFault, _) | (_, Outlook::BeforeFault) => Outlook::BeforeFault,
            (Outlook::Until(one), Outlook::Until(other)) => Outlook::Until(one.max(other)),
            (Outlook::Until(one), Outlook::Decided) | (Outlook::Decided, Outlook::Until(one)) => {
                Outlook::Until(one)
            }
            (Outlook::Decided, Outlook::Decided) => Outlook::Decided,
        };
    }
    latest
}

/// For each expected alert its name and the instants of its life seen so far, in order.
pub fn progress(plan: &Plan, evidence: &Evidence) -> Vec<(String, Vec<TimelinePoint>)> {
    let alerts = plan.expect.iter().filter_map(|expectation| match expectation {
        Expectation::Alert(it) => Some(it),
        Expectation::Quiet(_) | Expectation::Truth(_) | Expectation::Load(_) | Expectation::Metric(_) => None,
    });
    alerts.map(|it| (it.to_string(), alert::seen_so_far(plan, it, evidence))).collect()
}

/// What held over a run that was cut short did not hold to its end.
fn cut_short(record: ExpectationRecord, plan: &Plan, evidence: &Evidence) -> ExpectationRecord {
    let faults_are_missing = evidence.faults.len() < plan.faults.len();
    let reason = match evidence.ended_because {
        Some(EndedBecause::Interrupted) => Reason::Interrupted,
        Some(EndedBecause::StackLost) => Reason::StackLost,
        Some(EndedBecause::LoadLost) => Reason::LoadNotAchieved,
        Some(EndedBecause::Limit) => Reason::LimitReached,
        Some(EndedBecause::NotSettled) => Reason::NotSettled,
        Some(EndedBecause::Decided) if !faults_are_missing => return record,
        Some(EndedBecause::Decided) => Reason::NotStarted,
        None => Reason::EvidenceMissing,
    };
    let is_whole = evidence.lost_parts.is_empty();
    match record.verdict {
        Verdict::Held => {
            let why = if evidence.ended_detail.is_empty() {
                "not every fault was injected"
            } else {
                &evidence.ended_detail
            };
            let mut sentence = format!("the drill did not run to its end: {why}");
            if !is_whole {
                sentence = format!("{sentence}; lost: {}", evidence.lost_parts.join(", "));
            }
            ExpectationRecord { verdict: reason.verdict(), reason: Some(reason), sentence, ..record }
        }
        // Parts that are gone explain any disagreement.
        Verdict::Violated if !is_whole => ExpectationRecord {
            verdict: Reason::StackLost.verdict(),
            reason: Some(Reason::StackLost),
            sentence: format!("{} ended; by then: {}", evidence.lost_parts.join(", "), record.sentence),
            ..record
        },
        // What an interrupted run could not tell, it never came to.
        Verdict::Inconclusive if reason == Reason::Interrupted => ExpectationRecord {
            verdict: reason.verdict(),
            reason: Some(reason),
            sentence: format!("the run was interrupted; by then: {}", record.sentence),
            ..record
        },
        Verdict::Violated | Verdict::Inconclusive | Verdict::NotReached => record,
    }
}

/// What held although a fault of the drill was not there, or did nothing, or stayed, held under other conditions than
/// those the drill is about.
fn without_its_fault(record: ExpectationRecord, plan: &Plan, evidence: &Evidence) -> ExpectationRecord {
    if record.verdict != Verdict::Held {
        return record;
    }
    let problem =
        plan.faults.iter().zip(&evidence.faults).enumerate().find_map(|(position, ((_, fault), of))| {
            if of.injected.is_none() {
                let why = of.problem.as_deref().unwrap_or("its switch never answered");
                return Some((Reason::FaultNotInjected, format!("{fault} was not injected: {why}")));
            }
            if of.undone.is_none() {
                let why = of.problem.as_deref().unwrap_or("nobody undid it");
                return Some((
                    Reason::EvidenceMissing,
                    format!("{fault} was never known to be undone: {why}"),
                ));
            }
            let unproved = proof::proof_of_effect(plan, evidence, position).err()?;
            Some((unproved.reason, format!("no proof of {fault}: {unproved}")))
        });
    match problem {
        None => record,
        Some((reason, why)) => ExpectationRecord {
            verdict: reason.verdict(),
            reason: Some(reason),
            sentence: format!("{why}; without it: {}", record.sentence),
            ..record
        },
    }
}

/// A stack that does not become steady on a host that is busy all the time is late because of that.
fn on_a_busy_host(record: ExpectationRecord, evidence: &Evidence) -> ExpectationRecord {
    let usage = Usage::between(evidence, evidence.began, evidence.ended);
    match usage.map(|usage| usage.without_burner()) {
        Some(busy) if busy > BUSY && record.reason == Some(Reason::NotSettled) => ExpectationRecord {
            verdict: Reason::HostBusy.verdict(),
            reason: Some(Reason::HostBusy),
            sentence: format!("the host was {:.0}% busy; {}", busy * 100.0, record.sentence),
            ..record
        },
        Some(_) | None => record,
    }
}

fn with_evidence(mut record: ExpectationRecord, expectation: &Expectation) -> ExpectationRecord {
    let files: &[(&str, &str)] = match expectation {
        Expectation::Alert(_) | Expectation::Quiet(_) => &[
            ("prometheus-alerts.json", "samples of ALERTS"),
            ("prometheus-rules-after.json", "the rules and their health"),
            ("witness.jsonl", "notifications as the witness got them"),
        ],
        Expectation::Truth(_) => &[
            ("counters-before.json", "raw counters before the load"),
            ("counters-after.json", "raw counters after the drain"),
        ],
        Expectation::Load(_) | Expectation::Metric(_) => &[],
    };
    record.evidence = files
        .iter()
        .chain(&[("evidence.json", "everything the judge looked at")])
        .map(|(file, shows)| EvidenceRef { file: (*file).to_owned(), shows: (*shows).to_owned() })
        .collect();
    record
}

fn load_of(ledger: &Ledger, ended: Timestamp) -> LoadRecord {
    let (requests, unknown) = ledger.direct_totals();
    let direct = || ledger.rows.iter().filter(|row| row.direct);
    let mut latency = LatencyHistogram::default();
    for row in direct() {
        latency.merge(&row.latency);
    }
    LoadRecord {
        seconds: ended.duration_since(ledger.zero).as_secs_f64(),
        requests,
        unknown,
        failed: direct()
            .flat_map(|row| &row.closed)
            .filter(|(status, _)| **status >= 500)
            .map(|(_, n)| n)
            .sum(),
        latency_ms: quantiles(&latency),
        messages_sent: ledger.chats.iter().map(|chat| chat.sent).sum(),
        messages_lost: ledger.chats.iter().map(|chat| chat.lost).sum(),
        arrivals: ledger
            .arrivals
            .iter()
            .map(|one| ArrivalRecord {
                name: one.name.clone(),
                rate: one.rate,
                intended: one.intended,
                started: one.started,
                latency_ms: quantiles(&one.latency),
            })
            .collect(),
    }
}

/// Quantiles in milliseconds, by name; none of an empty histogram.
fn quantiles(latency: &LatencyHistogram) -> BTreeMap<String, f64> {
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)]
        .iter()
        .filter_map(|(name, q)| Some(((*name).to_owned(), latency.quantile(*q)? as f64 / 1000.0)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixtures;
    use crate::evidence::HostSample;

    #[test]
    fn a_drill_in_which_everything_holds_is_held_and_says_so_again_from_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let store = EvidenceFolder::create(folder.path(), firedrill_record::Redactor::default()).unwrap();
        store.write_json("plan.json", &fixtures::plan()).unwrap();
        store.write_json("evidence.json", &fixtures::alert_evidence()).unwrap();
        let first = judge(&fixtures::plan(), &fixtures::alert_evidence());
        assert_eq!(first.verdict, Verdict::Held, "{first:#?}");
        assert!(first.passed);
        assert_eq!(judge_again(&store, &store).unwrap(), first);
    }

    #[test]
    fn nothing_is_held_over_a_run_that_was_cut_short() {
        for (because, verdict) in [
            (EndedBecause::Interrupted, Verdict::NotReached),
            (EndedBecause::StackLost, Verdict::Inconclusive),
            (EndedBecause::LoadLost, Verdict::Inconclusive),
            (EndedBecause::Limit, Verdict::Inconclusive),
            (EndedBecause::NotSettled, Verdict::Inconclusive),
        ] {
            let mut evidence = fixtures::alert_evidence();
            evidence.ended_because = Some(because);
            let record = judge(&fixtures::plan(), &evidence);
            assert_eq!(record.verdict, verdict, "{because:?}");
            assert!(!record.passed);
        }
    }

    #[test]
    fn nothing_is_held_over_a_fault_that_was_not_there_or_did_nothing_or_stayed() {
        let judged = |change: fn(&mut Evidence)| {
            let mut evidence = fixtures::alert_evidence();
            change(&mut evidence);
            without_its_fault(
                ExpectationRecord::held("quiet", "nothing", "silent"),
                &fixtures::plan(),
                &evidence,
            )
        };
        assert_eq!(judged(|_| {}).verdict, Verdict::Held);
        assert_eq!(judged(|it| it.faults[0].injected = None).reason, Some(Reason::FaultNotInjected));
        assert_eq!(judged(|it| it.faults[0].undone = None).reason, Some(Reason::EvidenceMissing));
        let without_effect = judged(|it| {
            for bin in &mut it.ledger.as_mut().unwrap().rows[0].bins {
                bin.status = 200;
            }
        });
        assert_eq!(without_effect.reason, Some(Reason::FaultWithoutEffect));
    }

    #[test]
    fn a_stack_that_is_not_steady_on_a_busy_host_is_named_so() {
        let judged = |busy: f64| {
            let mut evidence = fixtures::alert_evidence();
            evidence.ended_because = Some(EndedBecause::NotSettled);
            evidence.processors = Some(2);
            evidence.host =
                [1_000, 29_000].map(|ms| HostSample { at: fixtures::at(ms), busy, waiting: 0.0 }).into();
            judge(&fixtures::plan(), &evidence).expectations[0].reason
        };
        assert_eq!(judged(0.3), Some(Reason::NotSettled));
        assert_eq!(judged(0.9), Some(Reason::HostBusy));
    }

    #[test]
    fn evidence_of_nothing_is_never_held() {
        let record = judge(&fixtures::plan(), &Evidence::begun(fixtures::at(0)));
        assert_ne!(record.verdict, Verdict::Held);
    }
}
