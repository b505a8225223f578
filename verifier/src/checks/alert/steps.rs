//! The steps of an alert's life: what began each, the window for its end, and what was seen.

use std::time::Duration;

use firedrill_drill::{AlertOutcome, Fault};
use firedrill_record::Segment;
use jiff::{SignedDuration, Timestamp};

use super::followed::{Followed, is_lost};
use crate::deadline::{FirstFlush, Window};
use crate::evidence::Evidence;
use crate::plan::Plan;

/// A fault that was not undone yet will be so long after it was due, at most, in seconds.
const UNDOING: f64 = 5.0;
/// A service finds a store that is back within so long.
const FINDING_ITS_STORE: Duration = Duration::from_secs(1);

/// One step of the life: what began it, the window for its end, and what was seen.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) ends_as: &'static str,
    pub(super) source: &'static str,
    pub(super) start: Timestamp,
    /// Since when lateness of the host moves its end: its begin, or the flush from which the ticks of its group count.
    pub(super) since: Timestamp,
    /// Seconds by which it may end before its window where what began it was late.
    pub(super) early: f64,
    /// Seconds by which scrapes that were lost make it late at most.
    pub(super) lost: f64,
    /// Whether it lies between the own times of two evaluations: only evaluations that were left out make it late, and those
    /// are in its window.
    pub(super) exact: bool,
    pub(super) window: Window,
    pub(super) observed: Option<Timestamp>,
}

impl Step {
    pub(super) fn seconds(&self) -> Option<f64> {
        self.observed.map(|at| at.duration_since(self.start).as_secs_f64())
    }

    pub(super) fn latest(&self) -> Timestamp {
        let seconds = SignedDuration::try_from_secs_f64(self.window.latest()).unwrap_or(SignedDuration::ZERO);
        self.start.checked_add(seconds).unwrap_or(Timestamp::MAX)
    }

    /// As it is told: of a window with several spans the one that counts for what was observed.
    pub(super) fn segment(&self) -> Segment {
        let whole = (self.window.earliest(), self.window.latest());
        let (earliest, latest) = self.seconds().map_or(whole, |observed| self.window.span_of(observed));
        Segment {
            name: self.name.to_owned(),
            earliest,
            latest,
            observed: self.seconds(),
            computed_from: self.window.computed_from.clone(),
        }
    }
}

/// The steps whose start is known, in order; the last one may not have ended. `failing` are the times in which the
/// receiver failed.
pub(super) fn of(followed: &Followed<'_>, failing: &[(Timestamp, Timestamp)]) -> Vec<Step> {
    let mut steps = Vec::new();
    if to_received(followed, &mut steps).is_none() {
        return steps;
    }
    match followed.outcome {
        AlertOutcome::Notified(_) => {
            // The chain ends with the first step that did not.
            let _ = to_resolved_delivered(followed, failing, &mut steps);
        }
        AlertOutcome::InhibitedBy(_) => steps.extend(resolved(followed)),
    }
    steps
}

/// Up to what Alertmanager has; none when it is not known to have it.
fn to_received(followed: &Followed<'_>, steps: &mut Vec<Step>) -> Option<()> {
    let (clockwork, life) = (&followed.alert.clockwork, &followed.life);
    let has_pending = clockwork.r#for > 0.0;
    let switching = seconds(followed.record.asked, followed.record.injected);
    steps.push(Step {
        name: if has_pending { "cause to pending" } else { "cause to firing" },
        ends_as: if has_pending { "pending" } else { "firing" },
        source: "Prometheus",
        start: followed.record.asked,
        since: followed.record.asked,
        early: unlike_its_time(followed, followed.scrape_before),
        lost: starts_anew(followed, is_lost(&followed.alert, followed.scrape_before)),
        exact: false,
        window: clockwork.cause_to_pending(followed.crossing, switching, followed.scrape_before)?,
        observed: life.pending,
    });
    let pending = life.pending?;
    if has_pending {
        steps.push(Step {
            name: "pending to firing",
            ends_as: "firing",
            source: "Prometheus",
            start: pending,
            since: pending,
            early: 0.0,
            lost: starts_anew(followed, followed.lost_while_pending),
            exact: true,
            window: clockwork.pending_to_firing(life.skipped),
            observed: life.firing,
        });
    }
    let firing = life.firing?;
    steps.push(Step {
        name: "firing to received",
        ends_as: "received",
        source: "Alertmanager",
        start: firing,
        since: firing,
        early: 0.0,
        lost: 0.0,
        exact: false,
        window: received_window(followed),
        observed: life.received,
    });
    life.received.map(|_| ())
}

/// Alertmanager shows when it got an alert last. Where only a resend was seen, that it fired stands for when it came; the
/// step after it allows for that.
fn received_window(followed: &Followed<'_>) -> Window {
    let mut window = followed.alert.clockwork.firing_to_received();
    if followed.life.shown_again {
        window.computed_from = format!(
            "{}; shown may be a resend, the first time is not known: counted from firing",
            window.computed_from
        );
    }
    window
}

fn to_resolved_delivered(
    followed: &Followed<'_>,
    failing: &[(Timestamp, Timestamp)],
    steps: &mut Vec<Step>,
) -> Option<()> {
    let (clockwork, life) = (&followed.alert.clockwork, &followed.life);
    let (received, arrival) = (life.received?, followed.arrival.as_ref()?);
    let undisturbed = arrival.window(clockwork);
    let window = when_failing(followed, undisturbed.clone(), received, failing);
    let was_retried = window != undisturbed;
    steps.push(Step {
        name: "received to delivered",
        ends_as: "delivered",
        source: "receiver",
        start: received,
        since: arrival.flushed().min(received),
        // An alert that the dispatcher takes up late, group_wait after it fired, is told at once.
        early: seconds(life.firing.unwrap_or(received), Some(received)).clamp(0.0, clockwork.group_wait),
        lost: 0.0,
        exact: false,
        window,
        observed: life.delivered,
    });
    let delivered = life.delivered?;
    steps.push(resolved(followed)?);
    let resolved = life.resolved?;
    let flushes: Vec<FirstFlush> = arrival.first_flushes(clockwork, delivered, was_retried, resolved);
    let window = clockwork.resolved_to_delivered(&flushes, life.resolved_unsure);
    steps.push(Step {
        name: "resolved to delivered",
        ends_as: "resolved delivered",
        source: "receiver",
        start: resolved,
        since: arrival.flushed_since(was_retried).min(resolved),
        early: 0.0,
        lost: 0.0,
        exact: false,
        window: when_failing(followed, window, resolved, failing),
        observed: life.resolved_delivered,
    });
    Some(())
}

/// From the end of the cause; none while it lasts.
fn resolved(followed: &Followed<'_>) -> Option<Step> {
    let undo_asked = followed.record.undo_asked?;
    let switching = seconds(undo_asked, followed.record.undone);
    let mut window = followed.alert.clockwork.undone_to_resolved(
        followed.fall,
        switching + followed.aftermath,
        followed.scrape_after,
    );
    let unsure = followed.life.resolved_unsure;
    if unsure > 0.0 {
        let why = format!("+ {unsure:.2}s in which no look saw whether there was an evaluation");
        window = window.until_at_least(window.latest() + unsure, &why);
    }
    if followed.aftermath > 0.0 {
        window.computed_from =
            format!("{}; requests went on failing for {:.2}s", window.computed_from, followed.aftermath);
    }
    Some(Step {
        name: "cause ended to resolved",
        ends_as: "resolved",
        source: "Prometheus",
        start: undo_asked,
        since: undo_asked,
        early: if followed.lost_at_the_end {
            f64::INFINITY
        } else {
            unlike_its_time(followed, followed.scrape_after)
        },
        lost: 0.0,
        exact: false,
        window,
        observed: followed.life.resolved,
    })
}

/// Seconds by which a sample may say what is only so after its own time: a scrape that began before reads its values when
/// the target gets to it, and one that is left out puts the edges of a window a scrape apart.
fn unlike_its_time(followed: &Followed<'_>, longest_scrape: Option<f64>) -> f64 {
    let clockwork = &followed.alert.clockwork;
    clockwork.scrape + longest_scrape.unwrap_or(clockwork.scrape_timeout)
}

/// Seconds by which an alert may be late that a lost scrape reset: Prometheus forgets what the target said, and `for` begins
/// anew with the next scrape.
fn starts_anew(followed: &Followed<'_>, lost: bool) -> f64 {
    let clockwork = &followed.alert.clockwork;
    if lost { clockwork.pending_time() + clockwork.scrape + clockwork.evaluation } else { 0.0 }
}

/// `window`, which counts from `start`, when the receiver failed at these times.
fn when_failing(
    followed: &Followed<'_>,
    window: Window,
    start: Timestamp,
    failing: &[(Timestamp, Timestamp)],
) -> Window {
    failing.iter().fold(window, |window, (from, until)| {
        let after = |at: Timestamp| at.duration_since(start).as_secs_f64();
        followed.alert.clockwork.with_failing_receiver(window, after(*from), after(*until))
    })
}

/// When the notification service, to which `receiver`'s webhooks go, was broken by a fault of the drill, in order.
pub(super) fn failing_times(plan: &Plan, receiver: &str, evidence: &Evidence) -> Vec<(Timestamp, Timestamp)> {
    if plan.webhooks.get(receiver).is_none_or(std::collections::BTreeSet::is_empty) {
        return Vec::new();
    }
    let mut times: Vec<_> = plan
        .faults
        .iter()
        .zip(&evidence.faults)
        .filter_map(|((_, fault), record)| {
            let more = delays_webhooks_by(plan, fault)?;
            record.injected?;
            let due = plan.wall_seconds(fault.lasts()) + UNDOING;
            let due = SignedDuration::try_from_secs_f64(due).unwrap_or_default();
            let until = record.undone.unwrap_or_else(|| (record.asked + due).max(evidence.ended));
            Some((record.asked, until + more))
        })
        .collect();
    times.sort_unstable();
    times
}

/// Whether a webhook is not taken while `fault` is there, and how long after it one may be that came under it: a fault
/// on the notification service, or the end of a part that is no service and that it may need, like its store.
fn delays_webhooks_by(plan: &Plan, fault: &Fault) -> Option<Duration> {
    let is_service = plan.services.iter().any(|service| service.as_str() == fault.part());
    if matches!(fault, Fault::Kill { .. }) && !is_service {
        return Some(FINDING_ITS_STORE);
    }
    if fault.part() != plan.notification_service.as_str() {
        return None;
    }
    match fault {
        Fault::Errors { .. } | Fault::Hang { .. } | Fault::Refuse { .. } | Fault::Kill { .. } => {
            Some(Duration::ZERO)
        }
        Fault::Latency { added, .. } => Some(*added),
        Fault::SlowBody { .. }
        | Fault::Memory { .. }
        | Fault::Cpu { .. }
        | Fault::BadMetrics { .. }
        | Fault::HostCpu { .. }
        | Fault::Gauge { .. } => None,
    }
}

fn seconds(from: Timestamp, to: Option<Timestamp>) -> f64 {
    to.map_or(0.0, |to| to.duration_since(from).as_secs_f64())
}
