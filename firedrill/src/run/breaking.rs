//! Breaking what the drill says and mending it again, noting both in the evidence.

use std::time::Duration;

use firedrill_drill::Fault;
use firedrill_loadgen::RunningLoad;
use firedrill_record::{EvidenceError, FaultRecord, RunEventKind};
use firedrill_stack::{InjectedFault, Undone};
use firedrill_verifier::{Plan, Watch, proof_of_effect};
use jiff::Timestamp;
use tokio::time::Instant;

use super::drill_run::DrillRun;
use crate::failure::described;

/// So often a fault's undo is tried.
const UNDO_TRIES: u32 = 3;

/// A fault that was injected and its place in the plan.
pub(super) struct Active {
    pub(super) index: usize,
    pub(super) injected: InjectedFault,
    pub(super) since: Instant,
}

/// What came of ending a fault.
#[derive(Debug, Default)]
pub(super) struct Mended {
    undone: Option<Undone>,
    /// The last try that failed.
    problem: Option<String>,
}

impl DrillRun<'_> {
    /// Injects the next fault of the timeline and notes what came of it, looking on meanwhile.
    ///
    /// # Errors
    /// When a look could not be written; the fault is injected and noted all the same.
    pub(super) async fn strike(
        &self,
        plan: &Plan,
        watch: &mut Watch,
        load: &RunningLoad,
        fault: &Fault,
        active: &mut Vec<Active>,
        next: Option<Instant>,
    ) -> Result<(), EvidenceError> {
        let lasts = Duration::from_secs_f64(plan.wall_seconds(fault.lasts()));
        self.events.tell(RunEventKind::FaultStarting { fault: fault.to_string() });
        load.mark_fault();
        let asked = Timestamp::now();
        let mut record = FaultRecord {
            what: fault.to_string(),
            asked,
            injected: None,
            undo_asked: None,
            undone: None,
            proof: None,
            witnessed: None,
            problem: None,
        };
        // It lasts from its own begin on, not from the end of the look beside it.
        let injecting = async { (self.stack.inject(fault, lasts).await, Instant::now()) };
        let ((injected, since), looked) = self.looking_on(watch, next, injecting).await;
        match injected {
            Ok(injected) => {
                record.asked = injected.asked;
                record.injected = Some(injected.injected);
                record.witnessed.clone_from(&injected.witnessed);
                self.events.tell(RunEventKind::FaultInjected { fault: fault.to_string() });
                let index = watch.evidence.faults.len();
                active.push(Active { index, injected, since });
            }
            Err(error) => {
                let problem = format!("failed to {}", described(&error));
                self.events.warn(problem.clone());
                record.problem = Some(problem);
            }
        }
        watch.evidence.faults.push(record);
        looked
    }

    /// Ends a fault.
    pub(super) async fn mend(&self, one: &Active) -> Mended {
        let mut mended = Mended::default();
        // A connection may break once; a switch that never answers is left to the fault's lease and the teardown.
        for _ in 0..UNDO_TRIES {
            match self.stack.undo(&one.injected).await {
                Ok(undone) => {
                    self.events.tell(RunEventKind::FaultUndone { fault: one.injected.fault.to_string() });
                    mended.undone = Some(undone);
                    break;
                }
                Err(error) => {
                    let problem = format!("failed to {}", described(&error));
                    self.events.warn(problem.clone());
                    mended.problem = Some(problem);
                }
            }
        }
        mended
    }

    /// Notes what came of ending a fault.
    pub(super) fn note_mended(watch: &mut Watch, one: &Active, mended: Mended) {
        let Some(record) = watch.evidence.faults.get_mut(one.index) else { return };
        if mended.problem.is_some() {
            record.problem = mended.problem;
        }
        if let Some(undone) = mended.undone {
            record.undo_asked = Some(undone.asked);
            record.undone = Some(undone.undone);
            record.add_witness(undone.witnessed);
        }
    }

    /// Tells of each fault whether the evidence proves its effect.
    pub(super) fn tell_proofs(&self, plan: &Plan, watch: &Watch) {
        for (position, (_, fault)) in plan.faults.iter().enumerate().take(watch.evidence.faults.len()) {
            match proof_of_effect(plan, &watch.evidence, position) {
                Ok(proof) => self.events.tell(RunEventKind::FaultProved { fault: fault.to_string(), proof }),
                Err(why) => self.events.warn(format!("no proof of {fault}: {why}")),
            }
        }
    }
}
