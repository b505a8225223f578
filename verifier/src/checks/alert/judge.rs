//! The judgement of an expected alert, whatever must come of it, and the outlook on it while the drill runs.

use firedrill_drill::{AlertExpectation, AlertOutcome};
use firedrill_record::{ExpectationRecord, Reason, TimelinePoint};
use jiff::{SignedDuration, Timestamp};

use super::followed::{Followed, Stop, follow, told};
use super::steps::{self, Step};
use super::{inhibited, lateness, notified};
use crate::diagnosis;
use crate::evidence::{EndedBecause, Evidence};
use crate::plan::Plan;

pub(super) const KIND: &str = "alert";

/// How long after a deadline the evidence of an event may still be on its way to the harness.
const COLLECTION: SignedDuration = SignedDuration::from_millis(1000);

/// What is known of an expected alert so far.
#[derive(Debug, Clone, PartialEq)]
pub enum Outlook {
    /// More waiting changes nothing.
    Decided,
    /// It is decided at this instant at the latest.
    Until(Timestamp),
    /// Its fault has not been injected yet.
    BeforeFault,
}

/// The outlook of `expectation` on the evidence so far.
pub(crate) fn outlook(plan: &Plan, expectation: &AlertExpectation, evidence: &Evidence) -> Outlook {
    match follow(plan, expectation, evidence) {
        Err(Stop::BeforeFault) => Outlook::BeforeFault,
        Err(Stop::Judged(_)) => Outlook::Decided,
        Ok(followed) => {
            let steps = steps_of(&followed, plan, expectation, evidence);
            match steps.iter().find(|step| step.observed.is_none()) {
                // A step whose window is over ends the chain; it is not waited for any longer than a busy host explains.
                Some(step) => {
                    let late = lateness::may_still_end(step, &followed.alert.clockwork, evidence);
                    let until = late.map_or(step.latest(), |(until, _)| until) + COLLECTION;
                    if evidence.ended > until { Outlook::Decided } else { Outlook::Until(until) }
                }
                None if followed.record.undo_asked.is_none() => Outlook::Until(evidence.ended + COLLECTION),
                None => Outlook::Decided,
            }
        }
    }
}

/// The instants of the alert's life seen so far, in order; empty before its fault.
pub(crate) fn seen_so_far(
    plan: &Plan,
    expectation: &AlertExpectation,
    evidence: &Evidence,
) -> Vec<TimelinePoint> {
    follow(plan, expectation, evidence)
        .map(|followed| {
            timeline(&followed, plan, evidence, &steps_of(&followed, plan, expectation, evidence))
        })
        .unwrap_or_default()
}

/// Judges the `index`th expectation of the drill.
pub(crate) fn judge(
    plan: &Plan,
    index: usize,
    expectation: &AlertExpectation,
    evidence: &Evidence,
) -> ExpectationRecord {
    let followed = match follow(plan, expectation, evidence) {
        Ok(followed) => followed,
        Err(Stop::Judged(record)) => return *record,
        Err(Stop::BeforeFault) => return never_injected(expectation, evidence),
    };
    let steps = steps_of(&followed, plan, expectation, evidence);
    let mut record = verdict(&followed, plan, index, expectation, evidence, &steps);
    record.segments = steps.iter().map(Step::segment).collect();
    record.timeline = timeline(&followed, plan, evidence, &steps);
    record.findings.push(format!("its cause: {}", followed.record.what));
    if let (Some(baseline), Some(service)) = (&followed.baseline, &followed.service) {
        record.findings.push(format!(
            "{service}: {} of {} requests failed before the fault, {} of {} under it, {:.0} a second",
            baseline.before.1, baseline.before.0, baseline.during.1, baseline.during.0, baseline.per_second
        ));
    }
    record
}

fn steps_of(
    followed: &Followed<'_>,
    plan: &Plan,
    expectation: &AlertExpectation,
    evidence: &Evidence,
) -> Vec<Step> {
    let failing = told(expectation).map(|receiver| steps::failing_times(plan, receiver, evidence));
    steps::of(followed, &failing.unwrap_or_default())
}

fn never_injected(expectation: &AlertExpectation, evidence: &Evidence) -> ExpectationRecord {
    let (reason, why) = match evidence.ended_because {
        Some(EndedBecause::NotSettled) => (Reason::NotSettled, "the stack did not become steady"),
        Some(EndedBecause::StackLost) => (Reason::StackLost, "a part of the stack ended"),
        Some(EndedBecause::LoadLost) => (Reason::LoadNotAchieved, "the load broke"),
        Some(EndedBecause::Limit) => (Reason::LimitReached, "the drill's limit passed before the fault"),
        Some(EndedBecause::Interrupted) => (Reason::Interrupted, "the run was interrupted before the fault"),
        Some(EndedBecause::Decided) | None => (Reason::NotStarted, "the fault was never due"),
    };
    let detail =
        if evidence.ended_detail.is_empty() { String::new() } else { format!(": {}", evidence.ended_detail) };
    ExpectationRecord::because(KIND, expectation.to_string(), reason, format!("{why}{detail}"))
}

fn verdict(
    followed: &Followed<'_>,
    plan: &Plan,
    index: usize,
    expectation: &AlertExpectation,
    evidence: &Evidence,
    steps: &[Step],
) -> ExpectationRecord {
    let because = |reason, sentence: String| {
        ExpectationRecord::because(KIND, expectation.to_string(), reason, sentence)
    };
    if let Some(missing) = steps.iter().find(|step| step.observed.is_none()) {
        if evidence.ended <= missing.latest() {
            return unfinished(expectation, evidence, missing);
        }
        if let Some((until, why)) = lateness::may_still_end(missing, &followed.alert.clockwork, evidence)
            && evidence.ended <= until
        {
            let over = missing.latest();
            let sentence = format!(
                "{} was to end by {over}, and was watched until {}; {why}, so that it could still come until {until}",
                missing.name, evidence.ended
            );
            return because(Reason::HostBusy, sentence);
        }
        let (reason, sentence, hint) =
            diagnosis::first_broken_link(index, &followed.alert, &followed.life, evidence, missing.ends_as);
        let mut record = because(reason, sentence);
        record.hint = hint;
        return record;
    }
    let last = match &expectation.outcome {
        AlertOutcome::Notified(_) => "resolved delivered",
        AlertOutcome::InhibitedBy(_) => "resolved",
    };
    if steps.last().is_none_or(|step| step.ends_as != last) {
        let why = evidence.ended_because.map_or("the drill still runs", |_| "the fault was never undone");
        return because(Reason::EvidenceMissing, why.to_owned());
    }
    if let Some((step, observed)) = steps.iter().find_map(|step| {
        step.seconds().filter(|observed| !step.window.holds(*observed)).map(|observed| (step, observed))
    }) {
        let (reason, sentence) = outside(followed, evidence, step, observed);
        return because(reason, sentence);
    }
    match &expectation.outcome {
        AlertOutcome::Notified(receiver) => {
            notified::verdict(followed, receiver, plan, expectation, evidence, steps)
        }
        AlertOutcome::InhibitedBy(source) => {
            let evaluation = followed.alert.clockwork.evaluation;
            inhibited::verdict(source.as_str(), evaluation, plan, expectation, evidence)
        }
    }
}

/// The reason and the sentence of a step that ended outside its window.
fn outside(followed: &Followed<'_>, evidence: &Evidence, step: &Step, observed: f64) -> (Reason, String) {
    let (earliest, latest) = step.window.span_of(observed);
    let (reason, bound) = if observed < earliest {
        (Reason::TooEarly, format!("before its earliest {earliest:.2}s"))
    } else {
        (Reason::TooLate, format!("after its latest {latest:.2}s"))
    };
    let took = format!("{} took {observed:.2}s, {bound}", step.name);
    match lateness::explains(step, observed, &followed.alert.clockwork, evidence) {
        Some(why) => (Reason::HostBusy, format!("{took}; {why}")),
        None => (reason, took),
    }
}

/// The run ended before the next step was due.
fn unfinished(expectation: &AlertExpectation, evidence: &Evidence, missing: &Step) -> ExpectationRecord {
    let (reason, why) = match evidence.ended_because {
        Some(EndedBecause::Interrupted) => (Reason::Interrupted, "the run was interrupted"),
        Some(EndedBecause::Limit) => (Reason::LimitReached, "the drill's limit passed"),
        Some(EndedBecause::StackLost) => (Reason::StackLost, "a part of the stack ended"),
        Some(EndedBecause::LoadLost) => (Reason::LoadNotAchieved, "the load broke"),
        Some(EndedBecause::NotSettled) => (Reason::NotSettled, "the stack did not become steady"),
        Some(EndedBecause::Decided) | None => (Reason::EvidenceMissing, "the observation ended"),
    };
    let mut sentence = format!("{why} before the alert could be {}", missing.ends_as);
    if !evidence.ended_detail.is_empty() {
        sentence = format!("{sentence}: {}", evidence.ended_detail);
    }
    ExpectationRecord::because(KIND, expectation.to_string(), reason, sentence)
}

fn timeline(followed: &Followed<'_>, plan: &Plan, evidence: &Evidence, steps: &[Step]) -> Vec<TimelinePoint> {
    let Some(zero) = evidence.ledger.as_ref().map(|ledger| ledger.zero) else { return Vec::new() };
    let point = |what: &str, at: Timestamp, source: &str| TimelinePoint {
        what: what.to_owned(),
        at,
        drill_time: at.duration_since(zero).as_secs_f64() * f64::from(plan.speed),
        source: source.to_owned(),
    };
    let mut points = vec![point("fault began", followed.record.asked, "harness")];
    points.extend(followed.record.undo_asked.map(|at| point("fault ended", at, "harness")));
    points
        .extend(steps.iter().filter_map(|step| step.observed.map(|at| point(step.ends_as, at, step.source))));
    points.sort_by_key(|point| point.at);
    points
}

#[cfg(test)]
mod tests {
    use firedrill_record::{Segment, Verdict};

    use super::*;
    use crate::checks::fixtures::{alert_evidence, at, expectation, plan, set_samples};
    use crate::evidence::LatenessSample;

    fn judged(change: impl FnOnce(&mut Evidence)) -> ExpectationRecord {
        let mut evidence = alert_evidence();
        change(&mut evidence);
        judge(&plan(), 0, &expectation(), &evidence)
    }

    #[test]
    fn a_whole_life_in_time_holds() {
        let record = judged(|_| {});
        assert_eq!(record.verdict, Verdict::Held, "{record:#?}");
        assert_eq!(record.segments.len(), 6);
        assert!(record.segments.iter().all(Segment::inside));
        let whats: Vec<&str> = record.timeline.iter().map(|point| point.what.as_str()).collect();
        assert_eq!(
            whats,
            [
                "fault began",
                "pending",
                "firing",
                "received",
                "delivered",
                "fault ended",
                "resolved",
                "resolved delivered"
            ]
        );
    }

    #[test]
    fn an_alert_that_fires_before_its_for_has_passed_violates() {
        let record = judged(|evidence| {
            set_samples(evidence, "pending", (11_000..14_000).step_by(250));
            set_samples(evidence, "firing", (14_000..22_500).step_by(250));
        });
        assert_eq!(record.reason, Some(Reason::TooEarly), "{}", record.sentence);
    }

    #[test]
    fn a_late_delivery_violates() {
        let record = judged(|evidence| {
            evidence.notifications.as_mut().unwrap()[0].received_at = at(18_000);
        });
        assert_eq!(record.reason, Some(Reason::TooLate), "{}", record.sentence);
    }

    #[test]
    fn a_route_that_is_silent_for_a_part_of_the_run_decides_nothing() {
        let record = judged(|evidence| {
            let live = evidence.configuration.as_mut().unwrap();
            let route = "  group_wait: 200ms\n  routes: [{matchers: ['severity=\"critical\"'], mute_time_intervals: [soon]}]";
            let soon = "time_intervals: [{name: soon, time_intervals: [{times: [{start_time: '00:01', end_time: '13:00'}]}]}]\n";
            live.alertmanager_yaml = live.alertmanager_yaml.replace("  group_wait: 200ms", route) + soon;
            evidence.ended = at(61_000);
        });
        assert_eq!(record.reason, Some(Reason::MutedInPart), "{}", record.sentence);
    }

    #[test]
    fn what_is_late_while_the_timers_of_the_harness_are_decides_nothing() {
        let late = |delivered: i64, worst: f64, ms: i64| {
            judged(|evidence| {
                evidence.notifications.as_mut().unwrap()[0].received_at = at(delivered);
                evidence.lateness = vec![
                    LatenessSample { at: at(ms - 200), worst: 0.0 },
                    LatenessSample { at: at(ms), worst },
                    LatenessSample { at: at(ms + 200), worst: 0.0 },
                ];
            })
            .reason
        };
        // Its latest is 16.335 s.
        assert_eq!(late(16_500, 0.2, 16_300), Some(Reason::HostBusy));
        assert_eq!(late(16_500, 0.05, 16_300), Some(Reason::TooLate), "that is allowed for");
        assert_eq!(late(16_500, 0.2, 12_000), Some(Reason::TooLate), "it was before");
        assert_eq!(late(20_000, 0.2, 16_300), Some(Reason::TooLate), "it explains no seconds");
    }

    #[test]
    fn an_alert_that_was_active_before_the_fault_proves_nothing() {
        let record = judged(|evidence| set_samples(evidence, "pending", (9_000..16_000).step_by(250)));
        assert_eq!(record.reason, Some(Reason::AlreadyActive));
    }

    #[test]
    fn a_fault_that_the_ledger_does_not_show_is_without_effect() {
        let record = judged(|evidence| {
            for bin in &mut evidence.ledger.as_mut().unwrap().rows[0].bins {
                bin.status = 200;
            }
        });
        assert_eq!(record.reason, Some(Reason::FaultWithoutEffect), "{}", record.sentence);
    }

    #[test]
    fn a_fault_that_was_not_injected_is_inconclusive() {
        let record = judged(|evidence| evidence.faults[0].injected = None);
        assert_eq!(record.reason, Some(Reason::FaultNotInjected));
    }

    #[test]
    fn an_interrupted_run_never_reached_what_was_still_due() {
        let record = judged(|evidence| {
            evidence.ended = at(15_000);
            evidence.evaluated_until = Some(at(15_000));
            evidence.ended_because = Some(EndedBecause::Interrupted);
            evidence.faults[0].undo_asked = Some(at(15_000));
            evidence.alerts.as_mut().unwrap().retain(|one| one.label("alertstate") != "firing");
            set_samples(evidence, "pending", (11_000..15_000).step_by(250));
        });
        assert_eq!(record.verdict, Verdict::NotReached, "{}", record.sentence);
    }

    #[test]
    fn a_failed_query_for_alerts_is_inconclusive() {
        assert_eq!(judged(|it| it.alerts = Err("timed out".into())).reason, Some(Reason::QueryFailed));
        assert_eq!(judged(|it| it.configuration = Err("refused".into())).reason, Some(Reason::QueryFailed));
    }

    #[test]
    fn the_outlook_is_the_end_of_the_next_window_and_decided_after_it() {
        let mut evidence = alert_evidence();
        evidence.ended_because = None;
        let look = |evidence: &Evidence| outlook(&plan(), &expectation(), evidence);
        assert_eq!(look(&evidence), Outlook::Decided);
        evidence.notifications.as_mut().unwrap().truncate(1);
        evidence.ended = at(23_000);
        assert!(matches!(look(&evidence), Outlook::Until(until) if until > at(26_000) && until < at(29_000)));
        evidence.ended = at(40_000);
        assert_eq!(look(&evidence), Outlook::Decided);
        evidence.faults.clear();
        assert_eq!(look(&evidence), Outlook::BeforeFault);
    }

    #[test]
    fn a_receiver_that_fails_may_be_told_when_it_works_again_and_no_later_than_a_retry() {
        let mut plan = plan();
        let lasts = std::time::Duration::from_mins(1);
        let service = plan.notification_service.clone();
        plan.faults
            .push((lasts, firedrill_drill::Fault::Errors { service, ratio: "100%".parse().unwrap(), lasts }));
        let delivered_at = |ms: i64, fails: bool| {
            let mut evidence = alert_evidence();
            if fails {
                let mut failing = evidence.faults[0].clone();
                (failing.asked, failing.injected) = (at(15_000), Some(at(15_002)));
                (failing.undo_asked, failing.undone) = (Some(at(17_000)), Some(at(17_002)));
                evidence.faults.push(failing);
            }
            evidence.notifications.as_mut().unwrap()[0].received_at = at(ms);
            judge(&plan, 0, &expectation(), &evidence)
        };
        let retried = delivered_at(18_000, true);
        assert_eq!(retried.verdict, Verdict::Held, "{}", retried.sentence);
        let step = retried.segments.iter().find(|step| step.name == "received to delivered").unwrap();
        assert!(step.computed_from.contains("the receiver fails until"), "{}", step.computed_from);
        assert_eq!(delivered_at(18_000, false).reason, Some(Reason::TooLate));
        assert_eq!(delivered_at(21_000, true).reason, Some(Reason::TooLate));
    }

    #[test]
    fn an_alert_whose_service_was_killed_meanwhile_may_stay_until_its_window_is_empty() {
        let mut plan = plan();
        let lasts = std::time::Duration::from_mins(1);
        plan.faults.push((lasts, firedrill_drill::Fault::Kill { part: "user".into(), lasts }));
        let mut evidence = alert_evidence();
        let mut kill = evidence.faults[0].clone();
        (kill.asked, kill.injected) = (at(17_400), Some(at(17_401)));
        evidence.faults.push(kill);
        // 5.1 s after the kill is 4.5 s after the switch was asked to end the errors.
        let record = judge(&plan, 0, &expectation(), &evidence);
        assert_eq!(record.verdict, Verdict::Held, "{}", record.sentence);
        let step = record.segments.iter().find(|step| step.name == "cause ended to resolved").unwrap();
        assert!(step.earliest <= 0.0 && step.latest > 5.0, "{step:?}");
    }
}
