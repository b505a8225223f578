//! `alert`: the right alert lives its whole life in time and reaches its receiver.

use firedrill_drill::{AlertExpectation, Fault};
use firedrill_record::{ExpectationRecord, FaultRecord, Reason, Segment, TimelinePoint};
use firedrill_rulebook::GroupBy;
use jiff::{SignedDuration, Timestamp};

use crate::alert_plan::{AlertPlan, Baseline};
use crate::deadline::{Crossing, Window};
use crate::diagnosis;
use crate::evidence::{EndedBecause, Evidence};
use crate::life_cycle::{LifeCycle, Subject};
use crate::plan::Plan;
use crate::proof;

const KIND: &str = "alert";

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

/// One step of the life: what began it, the window for its end, and what was seen.
struct Step {
    name: &'static str,
    ends_as: &'static str,
    source: &'static str,
    start: Timestamp,
    window: Window,
    observed: Option<Timestamp>,
}

impl Step {
    fn seconds(&self) -> Option<f64> {
        self.observed.map(|at| at.duration_since(self.start).as_secs_f64())
    }

    fn latest(&self) -> Timestamp {
        let seconds = SignedDuration::try_from_secs_f64(self.window.latest).unwrap_or(SignedDuration::ZERO);
        self.start.checked_add(seconds).unwrap_or(Timestamp::MAX)
    }

    fn segment(&self) -> Segment {
        Segment {
            name: self.name.to_owned(),
            earliest: self.window.earliest,
            latest: self.window.latest,
            observed: self.seconds(),
            computed_from: self.window.computed_from.clone(),
        }
    }
}

/// Everything that follows from the evidence about one expected alert.
struct Followed<'a> {
    alert: AlertPlan,
    fault: &'a Fault,
    record: &'a FaultRecord,
    baseline: Option<Baseline>,
    crossing: Crossing,
    life: LifeCycle,
    /// Whether another alert of the drill is in the same notification group.
    shared_group: bool,
}

/// The outlook of `expectation` on the evidence so far.
pub(crate) fn outlook(plan: &Plan, expectation: &AlertExpectation, evidence: &Evidence) -> Outlook {
    match follow(plan, expectation, evidence) {
        Err(Stop::BeforeFault) => Outlook::BeforeFault,
        Err(Stop::Judged(_)) => Outlook::Decided,
        Ok(followed) => {
            let steps = followed.steps();
            match steps.iter().find(|step| step.observed.is_none()) {
                // A step whose window is over ends the chain; it is not waited for any longer.
                Some(step) => {
                    let until = step.latest() + COLLECTION;
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
        .map(|followed| followed.timeline(plan, evidence, &followed.steps()))
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
    let steps = followed.steps();
    let mut record = followed.verdict(plan, index, expectation, evidence, &steps);
    record.segments = steps.iter().map(Step::segment).collect();
    record.timeline = followed.timeline(plan, evidence, &steps);
    if let Some(baseline) = &followed.baseline {
        record.findings.push(format!(
            "{}: {} of {} requests failed before the fault, {} of {} under it, {:.0} a second",
            followed.alert.service(followed.fault),
            baseline.before.1,
            baseline.before.0,
            baseline.during.1,
            baseline.during.0,
            baseline.per_second
        ));
    }
    record
}

/// Why an alert cannot be followed through its life.
enum Stop {
    BeforeFault,
    Judged(Box<ExpectationRecord>),
}

fn follow<'a>(
    plan: &'a Plan,
    expectation: &AlertExpectation,
    evidence: &'a Evidence,
) -> Result<Followed<'a>, Stop> {
    let judged = |reason, sentence: String| {
        Stop::Judged(Box::new(ExpectationRecord::because(KIND, expectation.to_string(), reason, sentence)))
    };
    let configuration = evidence.configuration.as_ref().map_err(|error| {
        judged(Reason::QueryFailed, format!("the running configuration could not be read: {error}"))
    })?;
    let alert =
        AlertPlan::make(plan, configuration, expectation).map_err(|(reason, why)| judged(reason, why))?;
    let Some((position, fault)) = cause(plan, &alert) else {
        return Err(judged(Reason::NotStarted, "the drill has no fault that could cause it".to_owned()));
    };
    let lasts = plan.wall_seconds(fault.lasts());
    if let Some(why) = alert.clockwork.cannot_fire(alert.planned_crossing(fault), lasts)
        // A fault without any effect to come is for the proof of effect to tell.
        && !matches!(alert.planned_crossing(fault), Crossing::Ratio { during, .. } if during <= 0.0)
    {
        return Err(judged(Reason::CannotFireWhileCauseLasts, why));
    }
    let Some(record) = evidence.faults.get(position) else { return Err(Stop::BeforeFault) };
    if record.injected.is_none() {
        let why = record.problem.clone().unwrap_or_else(|| "the switch never answered".to_owned());
        return Err(judged(Reason::FaultNotInjected, why));
    }
    if let Err(error) = &evidence.alerts {
        // While the drill runs the next look may succeed.
        if evidence.ended_because.is_some() {
            return Err(judged(Reason::QueryFailed, format!("the query for ALERTS failed: {error}")));
        }
    }
    let mut labels = expectation.labels.clone();
    labels.insert(firedrill_rulebook::RUN_LABEL.to_owned(), plan.number.to_string());
    let subject = Subject { name: expectation.name.as_str(), labels: &labels, receiver: told(expectation) };
    let life =
        LifeCycle::follow(&subject, evidence, record.asked, alert.rule.interval, alert.clockwork.group_wait);
    if life.active_before {
        return Err(judged(
            Reason::AlreadyActive,
            format!("{expectation} was active before the fault began"),
        ));
    }
    let baseline = evidence.ledger.as_ref().and_then(|ledger| {
        Baseline::measure(ledger, &alert.service(fault), record, alert.history, evidence.ended)
    });
    let crossing = baseline.as_ref().map_or_else(|| alert.planned_crossing(fault), |it| alert.crossing(it));
    // The proof of effect and the measured ratio count once the fault is over: until then they still grow.
    if record.undo_asked.is_some() || evidence.ended_because.is_some() {
        match &evidence.ledger {
            None => {
                return Err(judged(Reason::EvidenceMissing, "there is no ledger of the load".to_owned()));
            }
            Some(ledger) => {
                if let Err(why) = proof::of_effect(fault, record, ledger, evidence.ended) {
                    return Err(judged(Reason::FaultWithoutEffect, why));
                }
            }
        }
        if let Some(why) = baseline.as_ref().and_then(|it| alert.too_few_events(it)) {
            return Err(judged(Reason::TooFewEvents, why));
        }
        if let Some(why) = alert.clockwork.cannot_fire(crossing, lasts) {
            return Err(judged(Reason::CannotFireWhileCauseLasts, why));
        }
    }
    let shared_group = shares_its_group(plan, &alert, &subject, evidence);
    Ok(Followed { alert, fault, record, baseline, crossing, life, shared_group })
}

/// Whether another alert of this drill that fired falls into the same notification group.
fn shares_its_group(plan: &Plan, alert: &AlertPlan, subject: &Subject<'_>, evidence: &Evidence) -> bool {
    let GroupBy::Labels(by) = &alert.route.group_by else { return false };
    let fired = || {
        evidence
            .alerts
            .iter()
            .flatten()
            .filter(|one| one.label("alertstate") == "firing" && plan.is_of_this_drill(&one.labels))
    };
    let own: Vec<_> = fired().filter(|one| subject.is(&one.labels)).collect();
    fired().any(|other| {
        own.iter().any(|one| {
            one.labels != other.labels && by.iter().all(|label| one.label(label) == other.label(label))
        })
    })
}

fn told(expectation: &AlertExpectation) -> &str {
    match &expectation.outcome {
        firedrill_drill::AlertOutcome::Notified(receiver) => receiver,
        firedrill_drill::AlertOutcome::InhibitedBy(name) => name.as_str(),
    }
}

/// The fault that causes the alert: the one on the alert's own service, else the first.
fn cause<'a>(plan: &'a Plan, alert: &AlertPlan) -> Option<(usize, &'a Fault)> {
    let own = plan
        .faults
        .iter()
        .position(|(_, fault)| alert.labels.get("service").is_some_and(|name| name == fault.part()));
    let position = own.unwrap_or(0);
    plan.faults.get(position).map(|(_, fault)| (position, fault))
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

impl Followed<'_> {
    /// The steps whose start is known, in order; the last one may not have ended.
    fn steps(&self) -> Vec<Step> {
        let clockwork = &self.alert.clockwork;
        let life = &self.life;
        let seconds = |from: Timestamp, to: Option<Timestamp>| {
            to.map_or(0.0, |to| to.duration_since(from).as_secs_f64())
        };
        let mut steps = Vec::new();
        let has_pending = clockwork.r#for > 0.0;
        let switching = seconds(self.record.asked, self.record.injected);
        let Some(window) = clockwork.cause_to_pending(self.crossing, switching) else { return steps };
        steps.push(Step {
            name: if has_pending { "cause to pending" } else { "cause to firing" },
            ends_as: if has_pending { "pending" } else { "firing" },
            source: "Prometheus",
            start: self.record.asked,
            window,
            observed: life.pending,
        });
        let Some(pending) = life.pending else { return steps };
        if has_pending {
            steps.push(Step {
                name: "pending to firing",
                ends_as: "firing",
                source: "Prometheus",
                start: pending,
                window: clockwork.pending_to_firing(),
                observed: life.firing,
            });
        }
        let Some(firing) = life.firing else { return steps };
        steps.push(Step {
            name: "firing to received",
            ends_as: "received",
            source: "Alertmanager",
            start: firing,
            window: clockwork.firing_to_received(),
            observed: life.received,
        });
        let Some(received) = life.received else { return steps };
        steps.push(Step {
            name: "received to delivered",
            ends_as: "delivered",
            source: "receiver",
            start: received,
            window: if self.shared_group {
                clockwork.received_to_delivered_in_a_shared_group()
            } else {
                clockwork.received_to_delivered()
            },
            observed: life.delivered,
        });
        let Some(delivered) = life.delivered else { return steps };
        let Some(undo_asked) = self.record.undo_asked else { return steps };
        let switching = seconds(undo_asked, self.record.undone);
        steps.push(Step {
            name: "cause ended to resolved",
            ends_as: "resolved",
            source: "Prometheus",
            start: undo_asked,
            window: clockwork.undone_to_resolved(self.crossing, switching),
            observed: life.resolved,
        });
        let Some(resolved) = life.resolved else { return steps };
        let wait = SignedDuration::try_from_secs_f64(clockwork.group_wait).unwrap_or_default();
        // A new group flushes group_wait after its first alert came; the receiver may have been slower that once.
        let flushed = if self.shared_group { delivered } else { (received + wait).min(delivered) };
        let since_flush = resolved.duration_since(flushed).as_secs_f64();
        steps.push(Step {
            name: "resolved to delivered",
            ends_as: "resolved delivered",
            source: "receiver",
            start: resolved,
            window: clockwork.resolved_to_delivered(since_flush),
            observed: life.resolved_delivered,
        });
        steps
    }

    fn verdict(
        &self,
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
                return Self::unfinished(expectation, evidence, missing);
            }
            let (reason, sentence, hint) =
                diagnosis::first_broken_link(index, &self.alert, &self.life, evidence, missing.ends_as);
            let mut record = because(reason, sentence);
            record.hint = hint;
            return record;
        }
        if steps.last().is_none_or(|step| step.ends_as != "resolved delivered") {
            let why = evidence.ended_because.map_or("the drill still runs", |_| "the fault was never undone");
            return because(Reason::EvidenceMissing, why.to_owned());
        }
        if let Some(step) = steps.iter().find(|step| !step.seconds().is_some_and(|it| step.window.holds(it)))
        {
            let observed = step.seconds().unwrap_or_default();
            let (reason, word) = if observed < step.window.earliest {
                (Reason::TooEarly, "before its earliest")
            } else {
                (Reason::TooLate, "after its latest")
            };
            let limit =
                if observed < step.window.earliest { step.window.earliest } else { step.window.latest };
            return because(reason, format!("{} took {observed:.2}s, {word} {limit:.2}s", step.name));
        }
        if !self.witnessed(plan, expectation, evidence) {
            return because(
                Reason::EvidenceContradicts,
                format!("{} was told, and the witness beside it was not", told(expectation)),
            );
        }
        let total = |from: Timestamp, to: Option<Timestamp>| {
            to.map_or(0.0, |to| to.duration_since(from).as_secs_f64())
        };
        ExpectationRecord::held(
            KIND,
            expectation.to_string(),
            format!(
                "delivered to {} {:.2}s after the fault began, resolved there {:.2}s after it ended; all {} steps inside their windows",
                told(expectation),
                total(self.record.asked, self.life.delivered),
                self.record.undo_asked.map_or(0.0, |ended| total(ended, self.life.resolved_delivered)),
                steps.len()
            ),
        )
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

    /// Whether the witness beside the receiver's webhook was told as well; true where there is none.
    fn witnessed(&self, plan: &Plan, expectation: &AlertExpectation, evidence: &Evidence) -> bool {
        if !plan.witnessed {
            return true;
        }
        evidence.witness.iter().any(|notification| {
            notification.receiver == told(expectation)
                && notification.alerts.iter().any(|alert| {
                    alert.status == "firing"
                        && plan.is_of_this_drill(&alert.labels)
                        && alert.labels.get("alertname") == Some(&self.alert.rule.name)
                        && expectation
                            .labels
                            .iter()
                            .all(|(name, value)| alert.labels.get(name) == Some(value))
                })
        })
    }

    fn timeline(&self, plan: &Plan, evidence: &Evidence, steps: &[Step]) -> Vec<TimelinePoint> {
        let Some(zero) = evidence.ledger.as_ref().map(|ledger| ledger.zero) else { return Vec::new() };
        let point = |what: &str, at: Timestamp, source: &str| TimelinePoint {
            what: what.to_owned(),
            at,
            drill_time: at.duration_since(zero).as_secs_f64() * f64::from(plan.speed),
            source: source.to_owned(),
        };
        let mut points = vec![point("fault began", self.record.asked, "harness")];
        points.extend(self.record.undo_asked.map(|at| point("fault ended", at, "harness")));
        points.extend(
            steps.iter().filter_map(|step| step.observed.map(|at| point(step.ends_as, at, step.source))),
        );
        points.sort_by_key(|point| point.at);
        points
    }
}

#[cfg(test)]
mod tests {
    use firedrill_drill::Expectation;
    use firedrill_record::Verdict;

    use super::*;
    use crate::checks::fixtures::{alert_evidence, at, plan};

    fn expectation() -> AlertExpectation {
        let Expectation::Alert(alert) = plan().expect.remove(0) else {
            panic!("the fixture expects an alert first")
        };
        alert
    }

    fn judged(change: impl FnOnce(&mut Evidence)) -> ExpectationRecord {
        let mut evidence = alert_evidence();
        change(&mut evidence);
        judge(&plan(), 0, &expectation(), &evidence)
    }

    fn samples(evidence: &mut Evidence, state: &str, times: impl IntoIterator<Item = i64>) {
        let alerts = evidence.alerts.as_mut().unwrap();
        alerts.retain(|one| one.label("alertname") != "HighErrorRate" || one.label("alertstate") != state);
        alerts.push(crate::checks::fixtures::alert_series("HighErrorRate", state, times));
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
            samples(evidence, "pending", (11_000..14_000).step_by(250));
            samples(evidence, "firing", (14_000..22_500).step_by(250));
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
    fn an_alert_that_was_active_before_the_fault_proves_nothing() {
        let record = judged(|evidence| samples(evidence, "pending", (9_000..16_000).step_by(250)));
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
            samples(evidence, "pending", (11_000..15_000).step_by(250));
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
}
