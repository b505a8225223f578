//! When faults are injected and mended: at their own instants, between the looks, which go on while one takes its time.
//!
//! Scrapes and evaluations have fixed phases, which looks could fall into step with: an instant that a look decides
//! would not be random over them, and a fault would last as long as looks make it.

use std::collections::VecDeque;
use std::time::Duration;

use firedrill_loadgen::RunningLoad;
use firedrill_record::EvidenceError;
use firedrill_verifier::{Plan, Watch};
use tokio::time::{Instant, sleep_until};

use super::breaking::Active;
use super::drill_run::DrillRun;

/// What is due so soon is waited for before the next look: a look takes its time, and instants of faults are exact.
pub(super) const SOON: Duration = Duration::from_millis(300);

/// When the faults of a drill are due.
pub(super) struct Schedule<J> {
    /// Draws how long a fault waits once it could be injected.
    jitter: J,
    /// That of the next fault, in seconds.
    hold: f64,
    /// What the first fault waited for a steady stack, every later one comes later, too.
    shift: f64,
    /// When the next fault is injected; none when that is not known yet.
    strike: Option<Instant>,
}

impl<J: FnMut() -> f64> Schedule<J> {
    /// Before the first fault; `jitter` draws seconds, uniformly over the periods that no instant may fall into step with.
    pub(super) fn new(mut jitter: J) -> Self {
        let hold = jitter();
        Self { jitter, hold, shift: 0.0, strike: None }
    }

    /// Nothing is due.
    pub(super) fn forget(&mut self) {
        self.strike = None;
    }

    /// The next fault is due `at` seconds of wall time after the load's begin, later as the first one was, and not before
    /// its hold after the stack became steady: `elapsed` seconds have passed since the former, `steady` since the latter.
    pub(super) fn next(&mut self, at: f64, elapsed: f64, steady: f64) {
        let due = at + self.shift + self.hold;
        let left = (due - elapsed).max(self.hold - steady).max(0.0);
        self.strike = Some(Instant::now() + Duration::from_secs_f64(left));
    }
}

impl DrillRun<'_> {
    /// Mends what has lasted long enough and injects what is due, each at its instant.
    ///
    /// # Errors
    /// When a look meanwhile could not be written.
    pub(super) async fn act<J: FnMut() -> f64>(
        &self,
        plan: &Plan,
        watch: &mut Watch,
        load: &RunningLoad,
        active: &mut Vec<Active>,
        schedule: &mut Schedule<J>,
    ) -> Result<(), EvidenceError> {
        let ends =
            |one: &Active| one.since + Duration::from_secs_f64(plan.wall_seconds(one.injected.fault.lasts()));
        // One may end when the other begins: in the order of their instants.
        while let Some(due) = active.iter().map(&ends).chain(schedule.strike).min()
            && due <= Instant::now() + SOON
        {
            sleep_until(due).await;
            let (mut over, still): (Vec<Active>, Vec<Active>) =
                std::mem::take(active).into_iter().partition(|one| ends(one) <= due);
            *active = still;
            // A service is not ready before what it stores in is.
            over.sort_by_key(|one| {
                plan.services.iter().any(|service| service.as_str() == one.injected.fault.part())
            });
            let mut over = VecDeque::from(over);
            while let Some(one) = over.front() {
                let mending = async {
                    tokio::select! {
                        mended = self.mend(one) => Some(mended),
                        () = self.interrupts.wait() => None,
                    }
                };
                let next = active.iter().map(&ends).chain(schedule.strike).min();
                let (mended, looked) = self.looking_on(watch, next, mending).await;
                let interrupted = mended.is_none();
                if let Some(mended) = mended {
                    Self::note_mended(watch, one, mended);
                    over.pop_front();
                }
                if interrupted || looked.is_err() {
                    // What is left is undone when the drill has ended.
                    active.extend(over);
                    return looked;
                }
            }
            if schedule.strike.take_if(|strike| *strike <= due).is_some()
                && let Some((at, fault)) = plan.faults.get(watch.evidence.faults.len())
            {
                let next = active.iter().map(&ends).min();
                self.strike(plan, watch, load, fault, active, next).await?;
                if let [first] = watch.evidence.faults.as_slice() {
                    let began = first.asked.duration_since(load.zero()).as_secs_f64();
                    schedule.shift = (began - plan.wall_seconds(*at)).max(0.0);
                }
                schedule.hold = (schedule.jitter)();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fault_is_due_its_hold_after_its_time_and_after_the_stack_became_steady() {
        let left = |at, elapsed, steady| {
            let mut schedule = Schedule::new(|| 0.3);
            schedule.next(at, elapsed, steady);
            schedule.strike.unwrap().duration_since(Instant::now()).as_secs_f64()
        };
        // Due at 2.3 s of load.
        assert!((left(2.0, 1.0, 10.0) - 1.3).abs() < 1e-6);
        // Steady just now, at 7 s of load.
        assert!((left(2.0, 7.0, 0.0) - 0.3).abs() < 1e-6);
        assert!(left(2.0, 9.0, 2.0).abs() < 1e-6);
    }
}
