//! Breaking things, and mending them again. One file per fault.
//!
//! A driver says whose end would undo its fault, injects it under a lease that ends by itself, and undoes it. It keeps
//! no ledger and proves no effect: that is for those who asked and for the evidence.

mod errors;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use firedrill_drill::Fault;
use firedrill_record::{Secret, ServiceName};

use crate::failure::FaultError;

/// The fault switches of a stack's services.
#[derive(Debug)]
pub(crate) struct Switches {
    services: BTreeMap<ServiceName, SocketAddr>,
    token: Secret,
    client: reqwest::Client,
}

impl Switches {
    pub(crate) fn new(services: BTreeMap<ServiceName, SocketAddr>, token: Secret) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(5))
            .build()
            .expect("a client without TLS and proxy can always be built");
        Self { services, token, client }
    }
}

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
        Fault::Errors { service, ratio, .. } => Ok(Box::new(errors::Errors::new(service, *ratio, switches)?)),
    }
}
