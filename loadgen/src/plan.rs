//! What is to be run, and against whom.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use firedrill_drill::Load;
use firedrill_record::ServiceName;

use crate::LoadError;

/// The loads of one drill, made concrete.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// What is run, all at the same time.
    pub loads: Vec<Load>,
    /// Where each service listens; loopback only.
    pub targets: BTreeMap<ServiceName, SocketAddr>,
    /// The service that carries chat loads.
    pub chat_service: ServiceName,
    /// What the waits between steps are drawn from.
    pub seed: u64,
    /// What every identifier of this load begins with; goes into `{unique}`, `{user}`, rooms and members.
    pub unique_prefix: String,
}

impl LoadPlan {
    /// Every target is of this machine, and every load does something.
    pub(crate) fn check(&self) -> Result<(), LoadError> {
        for (service, address) in &self.targets {
            if !address.ip().is_loopback() {
                return Err(LoadError::NotLoopback { service: service.clone(), address: *address });
            }
        }
        for load in &self.loads {
            let why = match load {
                Load::Journey { users: 0, .. } => "it has no users",
                Load::Chat { rooms: 0, .. } => "it has no rooms",
                Load::Chat { members: 0, .. } => "its rooms have no members",
                _ => continue,
            };
            return Err(LoadError::EmptyLoad { load: load.describe(), why });
        }
        Ok(())
    }
}

/// Counts of a running load, for telling how it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadProgress {
    /// Requests opened directly, upgrades of WebSockets among them.
    pub requests: u64,
    /// Those whose end was not seen.
    pub unknown: u64,
    /// Chat messages sent.
    pub messages: u64,
}
