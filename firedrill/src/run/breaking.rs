//! Breaking what the drill says and mending it again, noting both in the evidence.

use std::time::Duration;

use firedrill_drill::Fault;
use firedrill_loadgen::RunningLoad;
use firedrill_record::{FaultRecord, RunEventKind};
use firedrill_stack::InjectedFault;
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

impl DrillRun<'_> {
    /// Injects the next fault of the timeline and notes what came of it.
    pub(super) async fn strike(
        &self,
        plan: &Plan,
        watch: &mut Watch,
        load: &RunningLoad,
        fault: &Fault,
        active: &mut Vec<Active>,
    ) {
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
        match self.stack.inject(fault, lasts).await {
            Ok(injected) => {
                record.asked = injected.asked;
                record.injected = Some(injected.injected);
                record.witnessed.clone_from(&injected.witnessed);
                self.events.tell(RunEventKind::FaultInjected { fault: fault.to_string() });
                let index = watch.evidence.faults.len();
                active.push(Active { index, injected, since: Instant::now() });
            }
            Err(error) => {
                let problem = format!("failed to {}", described(&error));
                self.events.warn(problem.clone());
                record.problem = Some(problem);
            }
        }
        watch.evidence.faults.push(record);
    }

    /// Ends a fault and notes what came of it.
    pub(super) async fn mend(&self, watch: &mut Watch, one: &Active) {
        let Some(record) = watch.evidence.faults.get_mut(one.index) else { return };
        let fault = one.injected.fault.to_string();
        // A connection may break once; a switch that never answers is left to the fault's lease and the teardown.
        for _ in 0..UNDO_TRIES {
            match self.stack.undo(&one.injected).await {
                Ok(undone) => {
                    record.undo_asked = Some(undone.asked);
                    record.undone = Some(undone.undone);
                    record.add_witness(undone.witnessed);
                    self.events.tell(RunEventKind::FaultUndone { fault });
                    return;
                }
                Err(error) => {
                    let problem = format!("failed to {}", described(&error));
                    self.events.warn(problem.clone());
                    record.problem = Some(problem);
                }
            }
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
