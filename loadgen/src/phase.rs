//! The phases of a load, told to everything that runs in it.
//!
//! Nothing is ended from outside while it still has a chance to end by itself: everything that waits also waits for
//! the next phase.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::LoadError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Set-up requests and joining; no load yet.
    SettingUp,
    /// The load runs.
    Running,
    /// Nothing new is started; what is in flight is waited for.
    Stopping,
    /// What is in flight is given up.
    Aborting,
}

/// Says which phase it is. Dropping it aborts, so that a load nobody holds ends by itself.
#[derive(Debug)]
pub(crate) struct PhaseControl(watch::Sender<Phase>);

impl PhaseControl {
    pub(crate) fn new() -> (Self, PhaseWatch) {
        let (sender, receiver) = watch::channel(Phase::SettingUp);
        (Self(sender), PhaseWatch(receiver))
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.send_replace(phase);
    }
}

impl Drop for PhaseControl {
    fn drop(&mut self) {
        self.enter(Phase::Aborting);
    }
}

/// Follows the phase.
#[derive(Debug, Clone)]
pub(crate) struct PhaseWatch(watch::Receiver<Phase>);

impl PhaseWatch {
    pub(crate) fn now(&self) -> Phase {
        *self.0.borrow()
    }

    /// Returns as soon as `phase` or a later one is entered.
    pub(crate) async fn reached(&self, phase: Phase) {
        // The sender only goes away after it entered the last phase, so an error means the same.
        let _ = self.0.clone().wait_for(|now| *now >= phase).await;
    }
}

/// The first thing that broke in a running load.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failures(Arc<Mutex<Option<LoadError>>>);

impl Failures {
    pub(crate) fn report(&self, error: LoadError) {
        tracing::error!(%error, "the load is broken");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(crate) fn first(&self) -> Option<LoadError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
