//! Which proof a kind of fault needs.

use std::fmt;

use firedrill_drill::Fault;
use firedrill_record::{FaultRecord, Reason};
use jiff::{SignedDuration, Timestamp};

use super::{errors, gauge, host, kill, metrics, processes, silence, slowness};
use crate::cause;
use crate::evidence::Evidence;
use crate::plan::Plan;

/// Why a fault is not proved to have had its effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproved {
    /// What nothing can be judged for: that there was no effect, or that the host was busy by itself.
    pub reason: Reason,
    /// A sentence with its numbers.
    pub sentence: String,
}

impl From<String> for Unproved {
    /// There was no effect, or nobody saw it.
    fn from(sentence: String) -> Self {
        Self { reason: Reason::FaultWithoutEffect, sentence }
    }
}

impl fmt::Display for Unproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// The proof that the fault at `position` of the plan had an effect: a sentence with its numbers.
///
/// # Errors
/// Why there is none, in a sentence.
pub fn proof_of_effect(plan: &Plan, evidence: &Evidence, position: usize) -> Result<String, Unproved> {
    let (_, fault) = plan.faults.get(position).ok_or_else(|| "the plan has no such fault".to_owned())?;
    let (record, _) = cause::as_it_was(plan, evidence, position)
        .ok_or_else(|| "the fault was never injected".to_owned())?;
    of_effect(fault, &record, evidence)
}

/// The proof that `fault`, as `record` tells of it, had an effect: a sentence with its numbers.
///
/// # Errors
/// Why there is none, in a sentence.
pub(crate) fn of_effect(
    fault: &Fault,
    record: &FaultRecord,
    evidence: &Evidence,
) -> Result<String, Unproved> {
    let span = Span::of(record, evidence)?;
    let ledger = || evidence.ledger.as_ref().ok_or_else(|| "there is no ledger of the load".to_owned());
    let proof = match fault {
        Fault::Errors { service, ratio, .. } => errors::proof(service, *ratio, &span, ledger()?),
        Fault::Latency { service, added, route, .. } => {
            slowness::of_answers(service, route.as_deref(), *added, &span, ledger()?)
        }
        Fault::SlowBody { service, takes, .. } => slowness::of_bodies(service, *takes, &span, ledger()?),
        Fault::Hang { service, .. } | Fault::Refuse { service, .. } => {
            silence::proof(service, &span, ledger()?)
        }
        Fault::Memory { service, grow, .. } => processes::memory(service, *grow, &span, &evidence.parts),
        Fault::Cpu { service, busy, .. } => processes::cpu(service, *busy, &span, &evidence.parts),
        Fault::BadMetrics { service, how, .. } => {
            metrics::proof(service, *how, &span, &evidence.metrics_looks)
        }
        Fault::Kill { part, .. } => kill::proof(part, record, &span, &evidence.parts),
        Fault::HostCpu { cores, .. } => return host::proof(*cores, &span, evidence),
        Fault::Gauge { name, value, .. } => gauge::proof(name, *value, &span, &evidence.gauge_scrapes),
    };
    proof.map_err(Unproved::from)
}

/// When a fault was certainly there, and a time of the same length before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    /// Just before the switch was asked.
    pub(super) asked: Timestamp,
    /// Just after it had answered.
    pub(super) injected: Timestamp,
    /// Just before the undo was asked; the end of the evidence while it still lasts.
    pub(super) ended: Timestamp,
}

impl Span {
    fn of(record: &FaultRecord, evidence: &Evidence) -> Result<Self, String> {
        let injected = record.injected.ok_or("the fault was never injected")?;
        let ended = record.undo_asked.unwrap_or(evidence.ended);
        Ok(Self { asked: record.asked, injected, ended })
    }

    /// The begin of a time before the fault that is as long as the fault.
    pub(super) fn before(&self) -> Timestamp {
        let lasted: SignedDuration = self.ended.duration_since(self.injected);
        self.asked.checked_sub(lasted).unwrap_or(Timestamp::MIN)
    }

    /// Whether the fault was certainly there at `at`.
    pub(super) fn holds(&self, at: Timestamp) -> bool {
        (self.injected..=self.ended).contains(&at)
    }
}
