//! What every fault can do, and which driver a fault has.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_drill::Fault;

use super::errors::Errors;
use super::switches::Switches;
use crate::failure::FaultError;

/// A fault that can be injected and undone.
#[async_trait]
pub(crate) trait FaultDriver: Send + Sync {
    /// The part whose end undoes the fault.
    fn held_by(&self) -> &str;

    /// Whether the fault can be had for `lease`. Nothing is done.
    fn check(&self, lease: Duration) -> Result<(), FaultError>;

    /// Injects the fault; it ends by itself somewhat after `lease`.
    async fn inject(&self, lease: Duration) -> Result<(), FaultError>;

    /// Undoes the fault; undoing what is not there is well.
    async fn undo(&self) -> Result<(), FaultError>;
}

/// The driver of `fault` on a stack with these switches.
pub(crate) fn driver<'a>(
    fault: &'a Fault,
    switches: &'a Switches,
) -> Result<Box<dyn FaultDriver + 'a>, FaultError> {
    match fault {
        Fault::Errors { service, ratio, .. } => Ok(Box::new(Errors::new(service, *ratio, switches)?)),
        other => Err(FaultError::NoSuchService { service: other.part().to_owned() }),
    }
}
