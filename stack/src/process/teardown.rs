//! The parts of a stack in the order in which they were started, to be stopped in the opposite one.
//!
//! Parts that do not need each other form a wave and are stopped at the same time.

use std::sync::Arc;

use futures_util::future::join_all;

use super::part::{Part, PartPlan};
use super::start::Tell;
use crate::backend::{DownReport, StackEvent, StoppedPart};
use crate::failure::UpError;
use crate::undo::UndoLedger;

/// Started parts. Dropped, it kills them, the newest first.
#[derive(Debug)]
pub(super) struct Teardown {
    waves: Vec<Vec<Arc<Part>>>,
    ledger: Arc<UndoLedger>,
}

impl Teardown {
    pub(super) fn new(ledger: Arc<UndoLedger>) -> Self {
        Self { waves: Vec::new(), ledger }
    }

    /// Starts the parts of one wave. What was started before one that fails is kept, to be stopped.
    pub(super) fn start(&mut self, plans: Vec<PartPlan>, tell: Tell<'_>) -> Result<(), UpError> {
        self.waves.push(Vec::new());
        for plan in plans {
            let part = Part::start(plan, &self.ledger)?;
            tell(StackEvent::PartStarted {
                part: part.plan.name.clone(),
                pid: Some(part.pid()),
                address: part.plan.address.to_string(),
            });
            self.waves.last_mut().expect("a wave was pushed above").push(Arc::new(part));
        }
        Ok(())
    }

    pub(super) fn wave(&self, number: usize) -> &[Arc<Part>] {
        &self.waves[number]
    }

    pub(super) fn parts(&self) -> Vec<Arc<Part>> {
        self.waves.concat()
    }

    /// Stops everything.
    pub(super) async fn down(mut self) -> DownReport {
        let mut report = DownReport::default();
        while let Some(wave) = self.waves.last() {
            let ends = join_all(wave.iter().map(|part| part.stop())).await;
            for (part, end) in wave.iter().zip(ends) {
                match end {
                    Ok(how) => report.stopped.push(StoppedPart { part: part.plan.name.clone(), how }),
                    Err(left) => report.left.push(left),
                }
            }
            // Only now: a caller that stops waiting for this leaves the wave to `drop`.
            self.waves.pop();
        }
        report
    }
}

impl Drop for Teardown {
    fn drop(&mut self) {
        while self.waves.pop().is_some() {}
    }
}
