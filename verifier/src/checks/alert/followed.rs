//! Everything that follows from the evidence about one expected alert, before it is judged.

use firedrill_drill::{AlertExpectation, AlertOutcome, Fault};
use firedrill_record::{ExpectationRecord, FaultRecord, Labels, Ledger, Reason, ServiceName};
use jiff::{SignedDuration, Timestamp};

use super::group::{self, Arrival};
use super::judge::KIND;
use crate::alert_plan::{AlertPlan, Baseline, Measured, Muting, NoPlan};
use crate::cause;
use crate::deadline::Crossing;
use crate::evaluations::Evaluations;
use crate::evidence::Evidence;
use crate::life_cycle::{LifeCycle, Subject};
use crate::plan::Plan;
use crate::proof;

/// A proof that is missing so long after the fault stays missing: longer than any request waits.
const PROOF_ON_ITS_WAY: SignedDuration = SignedDuration::from_secs(6);

/// Everything that follows from the evidence about one expected alert.
pub(super) struct Followed<'a> {
    pub(super) alert: AlertPlan,
    pub(super) outcome: &'a AlertOutcome,
    /// Its cause as it really was.
    pub(super) record: FaultRecord,
    /// The service whose requests its rule looks at.
    pub(super) service: Option<ServiceName>,
    pub(super) baseline: Option<Baseline>,
    /// How the expression follows the begin of the cause.
    pub(super) crossing: Crossing,
    /// How it follows its end.
    pub(super) fall: Crossing,
    /// Seconds that requests went on failing after the cause ended, where that matters to the rule.
    pub(super) aftermath: f64,
    pub(super) life: LifeCycle,
    /// The longest scrape from the begin of the cause until the alert was pending, in seconds, where it is known.
    pub(super) scrape_before: Option<f64>,
    /// The same from its end until the alert was resolved.
    pub(super) scrape_after: Option<f64>,
    /// Whether a scrape that feeds the rule was lost while the alert was pending: it took as long as it may.
    pub(super) lost_while_pending: bool,
    /// Whether one was lost just before the evaluation that resolved the alert.
    pub(super) lost_at_the_end: bool,
    /// How it came to Alertmanager; none before it did.
    pub(super) arrival: Option<Arrival>,
}

/// Why an alert cannot be followed through its life.
pub(super) enum Stop {
    BeforeFault,
    Judged(Box<ExpectationRecord>),
}

/// The receiver that must be told, where one must.
pub(super) fn told(expectation: &AlertExpectation) -> Option<&str> {
    match &expectation.outcome {
        AlertOutcome::Notified(receiver) => Some(receiver),
        AlertOutcome::InhibitedBy(_) => None,
    }
}

/// Labels that alerts of the expectation carry in this drill.
pub(super) fn labels_of(plan: &Plan, expectation: &AlertExpectation) -> Labels {
    let mut labels = expectation.labels.clone();
    labels.insert(firedrill_rulebook::RUN_LABEL.to_owned(), plan.number.to_string());
    labels
}

pub(super) fn follow<'a>(
    plan: &'a Plan,
    expectation: &'a AlertExpectation,
    evidence: &'a Evidence,
) -> Result<Followed<'a>, Stop> {
    let judged = |reason, sentence: String| {
        Stop::Judged(Box::new(ExpectationRecord::because(KIND, expectation.to_string(), reason, sentence)))
    };
    let configuration = evidence.configuration.as_ref().map_err(|error| {
        judged(Reason::QueryFailed, format!("the running configuration could not be read: {error}"))
    })?;
    let alert = AlertPlan::make(plan, configuration, expectation)
        .map_err(|(reason, why)| judged(reason, why))?
        .as_measured(evidence);
    if let (AlertOutcome::Notified(receiver), Muting::Sometimes(why)) =
        (&expectation.outcome, alert.muting(evidence.began, evidence.ended))
    {
        let why = format!("{} tells {receiver} for a part of the run only: {why}", alert.route.path);
        return Err(judged(Reason::MutedInPart, why));
    }
    let Some(position) = cause::of(plan, &alert) else {
        return Err(judged(Reason::NotStarted, "the drill has no fault that could cause it".to_owned()));
    };
    let (_, fault) = &plan.faults[position];
    let planned = alert.crossing(fault, None);
    if let Some(why) = alert.clockwork.cannot_fire(planned, lasts(plan, fault, None))
        // A fault without any effect to come is for the proof of effect to tell.
        && !matches!(planned, Crossing::Ratio(mean) if mean.during <= 0.0)
    {
        return Err(judged(Reason::CannotFireWhileCauseLasts, why));
    }
    let Some((record, was_cut)) = cause::as_it_was(plan, evidence, position) else {
        return Err(Stop::BeforeFault);
    };
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
    let labels = labels_of(plan, expectation);
    let subject = Subject { name: expectation.name.as_str(), labels: &labels, receiver: told(expectation) };
    let evaluations = Evaluations::of(&alert.rule, evidence);
    let life = LifeCycle::follow(&subject, evidence, record.asked, &alert.clockwork, &evaluations);
    if life.active_before {
        return Err(judged(
            Reason::AlreadyActive,
            format!("{expectation} was active before the fault began"),
        ));
    }
    let service = alert.service(plan, fault);
    let measured = Measured::of(&alert, service.as_ref(), &record, evidence);
    let crossing = alert.crossing(fault, Some(&measured));
    if record.undo_asked.is_some() || evidence.ended_because.is_some() {
        worth_judging(&alert, fault, &record, &measured, evidence)
            .map_err(|(reason, why)| judged(reason, why))?;
        // When the process is gone nothing is counted any more, and what was counted stays in the window.
        if !was_cut
            && let Some(why) = alert.clockwork.cannot_fire(crossing, lasts(plan, fault, Some(&record)))
        {
            return Err(judged(Reason::CannotFireWhileCauseLasts, why));
        }
    }
    let fall = if was_cut { alert.unsolved(fault) } else { alert.crossing_back(fault, &measured) };
    let aftermath = match (&service, &evidence.ledger) {
        (Some(service), Some(ledger)) if alert.is_error_ratio() && !matches!(fault, Fault::Errors { .. }) => {
            failing_after(ledger, service, record.undone)
        }
        _ => 0.0,
    };
    let scrape_before = alert.longest_scrape(evidence, record.asked, life.pending.unwrap_or(evidence.ended));
    let scrape_after = record
        .undo_asked
        .and_then(|ended| alert.longest_scrape(evidence, ended, life.resolved.unwrap_or(evidence.ended)));
    let lost = |from, until| is_lost(&alert, alert.longest_scrape(evidence, from, until));
    let lost_while_pending = life.pending.is_some_and(|at| lost(at, life.firing.unwrap_or(evidence.ended)));
    let lost_at_the_end = life.resolved.is_some_and(|at| lost(at - to_be_seen(&alert), at));
    let arrival =
        told(expectation).and_then(|receiver| group::of(&alert, &life, &subject, receiver, plan, evidence));
    let outcome = &expectation.outcome;
    let baseline = measured.requests;
    Ok(Followed {
        alert,
        outcome,
        record,
        service,
        baseline,
        crossing,
        fall,
        aftermath,
        life,
        scrape_before,
        scrape_after,
        lost_while_pending,
        lost_at_the_end,
        arrival,
    })
}

/// Whether a scrape that took so long was lost.
pub(super) fn is_lost(alert: &AlertPlan, longest_scrape: Option<f64>) -> bool {
    longest_scrape.is_some_and(|took| took >= alert.clockwork.scrape_timeout)
}

/// A scrape that began so long before an evaluation is the last one that this can see the end of.
fn to_be_seen(alert: &AlertPlan) -> SignedDuration {
    let clockwork = &alert.clockwork;
    let seconds = clockwork.scrape_timeout + clockwork.evaluation + clockwork.recording_delay;
    SignedDuration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Whether the fault had its effect, and what was measured of it tells something. Both count once the fault is over:
/// until then they still grow.
fn worth_judging(
    alert: &AlertPlan,
    fault: &Fault,
    record: &FaultRecord,
    measured: &Measured,
    evidence: &Evidence,
) -> Result<(), NoPlan> {
    if evidence.ledger.is_none() {
        return Err((Reason::EvidenceMissing, "there is no ledger of the load".to_owned()));
    }
    // What shows the effect may still be on its way: requests that hung end with the fault or by their time-out.
    let over = evidence.ended_because.is_some()
        || record.undone.is_some_and(|undone| evidence.ended > undone + PROOF_ON_ITS_WAY);
    if let Err(unproved) = proof::of_effect(fault, record, evidence)
        && over
    {
        return Err((unproved.reason, unproved.sentence));
    }
    if let Some(why) = measured.requests.as_ref().and_then(|it| alert.too_few_events(it)) {
        return Err((Reason::TooFewEvents, why));
    }
    measured.unclear_processors(alert, fault).map_or(Ok(()), Err)
}

/// Seconds of wall time that `fault` lasts: as planned, or longer when it took longer to undo. How long a killed part
/// needs to come back nobody can plan.
fn lasts(plan: &Plan, fault: &Fault, record: Option<&FaultRecord>) -> f64 {
    let planned = plan.wall_seconds(fault.lasts());
    let measured = record.and_then(|record| Some(record.undone?.duration_since(record.asked).as_secs_f64()));
    match (measured, fault) {
        (Some(measured), _) => measured.max(planned),
        (None, Fault::Kill { .. }) => f64::INFINITY,
        (
            None,
            Fault::Errors { .. }
            | Fault::Latency { .. }
            | Fault::Hang { .. }
            | Fault::Refuse { .. }
            | Fault::SlowBody { .. }
            | Fault::Memory { .. }
            | Fault::Cpu { .. }
            | Fault::BadMetrics { .. }
            | Fault::HostCpu { .. }
            | Fault::Gauge { .. },
        ) => planned,
    }
}

/// Seconds from `undone` to the last failed request of `service`: those that waited for a part that is gone, and those
/// that came before it was found again.
fn failing_after(ledger: &Ledger, service: &ServiceName, undone: Option<Timestamp>) -> f64 {
    let Some(undone) = undone else { return 0.0 };
    let bin = SignedDuration::from_millis(i64::from(ledger.bin_ms));
    let rows = ledger.rows.iter().filter(|row| &row.route.service == service);
    rows.flat_map(|row| &row.bins)
        .filter(|one| one.status >= 500)
        .map(|one| ledger.zero + bin * i32::try_from(one.index).unwrap_or(i32::MAX) + bin)
        .map(|ended| ended.duration_since(undone).as_secs_f64())
        .fold(0.0, f64::max)
}
