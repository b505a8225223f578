//! The load as its owner holds it: starting, counting, ending.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use firedrill_drill::Rate;
use firedrill_record::{ArrivalTotals, LatencyHistogram};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::client::PooledClient;
use super::rounds::Rounds;
use super::shared_session::SharedSession;
use crate::LoadError;
use crate::phase::{Failures, PhaseWatch};
use crate::schedule::intended_by;
use crate::session::Session;

/// One open-model load, running since its phase says so.
#[derive(Debug)]
pub(crate) struct Arrivals {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What the load and its rounds share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: String,
    pub(super) rate: Rate,
    pub(super) began: OnceLock<Instant>,
    pub(super) stopped: OnceLock<Instant>,
    pub(super) started: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) latency: Mutex<LatencyHistogram>,
}

impl Arrivals {
    /// Makes the set-up requests; the load itself waits for its phase.
    pub(crate) async fn start(
        name: String,
        rate: Rate,
        mut session: Session,
        phase: PhaseWatch,
        failures: Failures,
    ) -> Result<Self, LoadError> {
        let client = PooledClient::new();
        session.set_up(&client).await?;
        let shared = Arc::new(Shared {
            name,
            rate,
            began: OnceLock::new(),
            stopped: OnceLock::new(),
            started: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            latency: Mutex::default(),
        });
        let session = Arc::new(SharedSession::new(session));
        let rounds = Rounds { shared: Arc::clone(&shared), session, client, phase, failures };
        Ok(Self { shared, task: tokio::spawn(rounds.run()) })
    }

    pub(crate) fn totals(&self) -> ArrivalTotals {
        self.shared.totals()
    }

    /// Returns when the load has ended and none of its requests is in flight.
    pub(crate) async fn ended(&mut self) -> Result<(), JoinError> {
        if self.task.is_finished() { Ok(()) } else { (&mut self.task).await }
    }

    /// Gives up on whatever is still in flight.
    pub(crate) fn abort(&self) {
        self.task.abort();
    }
}

impl Shared {
    fn totals(&self) -> ArrivalTotals {
        let seconds = self.began.get().map_or(Duration::ZERO, |began| {
            self.stopped.get().copied().unwrap_or_else(Instant::now).saturating_duration_since(*began)
        });
        ArrivalTotals {
            name: self.name.clone(),
            rate: self.rate.per_second(),
            seconds: seconds.as_secs_f64(),
            intended: self.began.get().map_or(0, |_| intended_by(seconds, self.rate)),
            started: self.started.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            latency: self.latency.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
