//! What every fault can do, and which driver a fault has.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_drill::Fault;
use jiff::Timestamp;

use super::gauge::Gauge;
use super::host_cpu::{Burning, HostCpu};
use super::kill::{Kill, Killing};
use super::refuse::Refuse;
use super::switch::Switches;
use super::switched::Switched;
use super::{answers, exposition, resources};
use crate::failure::FaultError;

/// A fault that can be injected and undone.
#[async_trait]
pub(crate) trait FaultDriver: Send + Sync {
    /// The part whose end undoes the fault, as the fault lives in it.
    fn held_by(&self) -> &str;

    /// Whether the fault can be had for so long. Nothing is done.
    fn check(&self, lasts: Duration) -> Result<(), FaultError>;

    /// Injects the fault; one that something keeps a lease of ends by itself after `lasts`, or somewhat later. Returns
    /// what the kernel or the daemon said of it, where they can.
    async fn inject(&self, lasts: Duration) -> Result<Option<String>, FaultError>;

    /// Undoes the fault; undoing what is not there is well.
    async fn undo(&self) -> Result<Mended, FaultError>;
}

/// How a fault was undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mended {
    /// By what: `its switch`.
    pub(crate) how: String,
    /// What the kernel or the daemon said of it, where they can.
    pub(crate) witnessed: Option<String>,
    /// When it had ended already, by the clock of what kept its time; none where the undo ended it.
    pub(crate) ended: Option<Timestamp>,
}

impl Mended {
    pub(super) fn by_its_switch() -> Self {
        Self { how: "its switch".to_owned(), witnessed: None, ended: None }
    }
}

/// What the backend itself does to the parts of a stack and to its host.
pub(crate) trait Breaking: Killing + Burning {}

impl<T: Killing + Burning> Breaking for T {}

/// The driver of `fault` on a stack with these switches, parts and host.
pub(crate) fn driver<'a>(
    fault: &'a Fault,
    switches: &'a Switches,
    parts: &'a dyn Breaking,
) -> Result<Box<dyn FaultDriver + 'a>, FaultError> {
    let (service, order) = match fault {
        Fault::Errors { service, ratio, .. } => (service, answers::errors(*ratio)),
        Fault::Latency { service, added, route, .. } => (service, answers::latency(*added, route.as_deref())),
        Fault::Hang { service, .. } => (service, answers::hang()),
        Fault::SlowBody { service, takes, .. } => (service, answers::slow_body(*takes)),
        Fault::Memory { service, grow, .. } => (service, resources::memory(*grow)),
        Fault::Cpu { service, busy, .. } => (service, resources::cpu(*busy)),
        Fault::BadMetrics { service, how, .. } => (service, exposition::bad_metrics(*how)),
        Fault::Refuse { service, .. } => {
            return Ok(Box::new(Refuse::new(switches.of(service)?, switches)));
        }
        Fault::Kill { part, .. } => return Ok(Box::new(Kill::new(part, parts))),
        Fault::HostCpu { cores, .. } => return Ok(Box::new(HostCpu::new(*cores, fault.part(), parts))),
        Fault::Gauge { name, value, .. } => {
            return Ok(Box::new(Gauge::new(name, *value, fault.part(), switches)));
        }
    };
    Ok(Box::new(Switched::new(switches.of(service)?, order)))
}
