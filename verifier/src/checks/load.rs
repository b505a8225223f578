//! `load`: enough traffic really happened.

use firedrill_drill::LoadExpectation;
use firedrill_record::{ExpectationRecord, Ledger, Reason};

use crate::evidence::Evidence;

const KIND: &str = "load";

/// What one load asked for and did.
struct Achieved {
    what: String,
    asked: f64,
    done: u64,
    /// Starts that were due and not made because the service did not answer earlier ones.
    dropped: u64,
}

/// Judges `expectation` on the ledger alone.
pub(crate) fn judge(expectation: &LoadExpectation, evidence: &Evidence) -> ExpectationRecord {
    let Some(wanted) = expectation.achieved else {
        return ExpectationRecord::because(
            KIND,
            "nothing",
            Reason::EvidenceMissing,
            "the expectation names no threshold",
        );
    };
    let about = format!("achieved ≥ {wanted}");
    let Some(ledger) = &evidence.ledger else {
        return ExpectationRecord::because(
            KIND,
            about,
            Reason::EvidenceMissing,
            "there is no ledger of the load",
        );
    };
    let loads = achieved(ledger);
    if loads.iter().all(|load| load.asked < 1.0) {
        return ExpectationRecord::because(
            KIND,
            about,
            Reason::EvidenceMissing,
            "no load with a rate ran long enough to start anything",
        );
    }
    let mut findings = Vec::new();
    let mut worst: Option<(f64, &Achieved)> = None;
    for load in loads.iter().filter(|load| load.asked >= 1.0) {
        let share = load.done as f64 / load.asked;
        findings.push(format!(
            "{}: {} of {:.0} started ({:.2}%), {} dropped",
            load.what,
            load.done,
            load.asked,
            share * 100.0,
            load.dropped
        ));
        if worst.is_none_or(|(least, _)| share < least) {
            worst = Some((share, load));
        }
    }
    // A start that got no answer is no load that anybody carried.
    let (opened, answered) = ledger
        .rows
        .iter()
        .filter(|row| row.direct)
        .fold((0, 0), |(opened, answered), row| (opened + row.opened, answered + row.closed_total()));
    findings.push(format!("{answered} of {opened} requests were answered"));
    if (answered as f64) < wanted.share() * opened as f64 {
        let mut record = ExpectationRecord::because(
            KIND,
            about,
            Reason::LoadMissed,
            format!("only {answered} of {opened} requests were answered, under {wanted}"),
        );
        record.findings = findings;
        return record;
    }
    let mut record = match worst {
        Some((share, load)) if share < wanted.share() => {
            let sentence =
                format!("{} achieved {:.2}% of its rate, under {wanted}", load.what, share * 100.0);
            // Starts that were dropped waited for the service; others were late because the generator was.
            if load.dropped > 0 {
                ExpectationRecord::because(KIND, about, Reason::LoadMissed, sentence)
            } else {
                ExpectationRecord::because(KIND, about, Reason::LoadNotAchieved, sentence)
            }
        }
        Some((share, load)) => ExpectationRecord::held(
            KIND,
            about,
            format!("every load achieved its rate, the least {} with {:.2}%", load.what, share * 100.0),
        ),
        None => ExpectationRecord::because(KIND, about, Reason::EvidenceMissing, "no load ran"),
    };
    record.findings = findings;
    record
}

fn achieved(ledger: &Ledger) -> Vec<Achieved> {
    let arrivals = ledger.arrivals.iter().map(|one| Achieved {
        what: format!("arrivals {}", one.name),
        asked: one.intended as f64,
        done: one.started,
        dropped: one.dropped,
    });
    let chats = ledger.chats.iter().map(|one| Achieved {
        what: format!("chat on {}", one.service),
        // The last message may be due at the very end.
        asked: (one.rate * one.seconds - 1.0).max(0.0),
        done: one.sent,
        dropped: 0,
    });
    arrivals.chain(chats).collect()
}

#[cfg(test)]
mod tests {
    use firedrill_record::{ArrivalTotals, LatencyHistogram, Verdict};
    use jiff::Timestamp;

    use super::*;

    fn achieved_all() -> Vec<ArrivalTotals> {
        vec![ArrivalTotals {
            name: "read-profile".into(),
            rate: 100.0,
            seconds: 10.0,
            intended: 1000,
            started: 1000,
            dropped: 0,
            latency: LatencyHistogram::default(),
        }]
    }

    fn judged(intended: u64, started: u64, dropped: u64) -> ExpectationRecord {
        let mut ledger = Ledger::empty(Timestamp::UNIX_EPOCH);
        ledger.arrivals.push(ArrivalTotals { intended, started, dropped, ..achieved_all().remove(0) });
        let mut evidence = Evidence::begun(Timestamp::UNIX_EPOCH);
        evidence.ledger = Some(ledger);
        judge(&LoadExpectation { achieved: Some("99%".parse().unwrap()) }, &evidence)
    }

    #[test]
    fn a_rate_that_was_kept_holds() {
        assert_eq!(judged(1000, 995, 5).verdict, Verdict::Held);
    }

    #[test]
    fn starts_dropped_because_the_service_did_not_answer_violate() {
        assert_eq!(judged(1000, 900, 100).reason, Some(Reason::LoadMissed));
    }

    #[test]
    fn starts_missed_by_the_generator_itself_are_inconclusive() {
        assert_eq!(judged(1000, 900, 0).reason, Some(Reason::LoadNotAchieved));
    }

    #[test]
    fn requests_that_nobody_answered_are_no_load() {
        let mut evidence = crate::checks::fixtures::truth_evidence();
        let ledger = evidence.ledger.as_mut().unwrap();
        ledger.arrivals = achieved_all();
        let expectation = LoadExpectation { achieved: Some("99%".parse().unwrap()) };
        assert_eq!(judge(&expectation, &evidence).verdict, Verdict::Held);
        evidence.ledger.as_mut().unwrap().rows[0].opened = 200;
        assert_eq!(judge(&expectation, &evidence).reason, Some(Reason::LoadMissed));
    }

    #[test]
    fn a_load_of_nothing_or_no_ledger_is_inconclusive() {
        assert_eq!(judged(0, 0, 0).reason, Some(Reason::EvidenceMissing));
        let evidence = Evidence::begun(Timestamp::UNIX_EPOCH);
        let expectation = LoadExpectation { achieved: Some("99%".parse().unwrap()) };
        assert_eq!(judge(&expectation, &evidence).reason, Some(Reason::EvidenceMissing));
    }
}
