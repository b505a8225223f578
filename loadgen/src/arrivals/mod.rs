//! Open model: rounds start at a constant rate, whether or not earlier ones were answered.
//!
//! Latency runs from the *intended* start, so that a stall of the service, or of this generator, is not hidden. It
//! knows nothing of users; all arrivals share what one set-up captured.

mod client;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use firedrill_drill::Rate;
use firedrill_record::{ArrivalTotals, LatencyHistogram};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;

pub(crate) use client::PooledClient;

use crate::LoadError;
use crate::clock::micros;
use crate::error::panic_message;
use crate::phase::{Failures, Phase, PhaseWatch};
use crate::schedule::{intended_by, intended_start};
use crate::session::{Session, StepEnd};

/// Most rounds in flight; further starts are dropped and counted.
pub(crate) const MAX_IN_FLIGHT: usize = 1000;

/// One open-model load, running since its phase says so.
#[derive(Debug)]
pub(crate) struct Arrivals {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    rate: Rate,
    began: OnceLock<Instant>,
    stopped: OnceLock<Instant>,
    started: AtomicU64,
    dropped: AtomicU64,
    latency: Mutex<LatencyHistogram>,
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
        let schedule = Schedule { shared: Arc::clone(&shared), session, client, phase, failures };
        Ok(Self { shared, task: tokio::spawn(schedule.run()) })
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

struct Schedule {
    shared: Arc<Shared>,
    session: Session,
    client: PooledClient,
    phase: PhaseWatch,
    failures: Failures,
}

impl Schedule {
    async fn run(self) {
        self.phase.reached(Phase::Running).await;
        let began = *self.shared.began.get_or_init(Instant::now);
        let in_flight = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
        let mut rounds = JoinSet::new();
        for index in 0.. {
            let intended = began + intended_start(index, self.shared.rate);
            if intended > Instant::now() {
                tokio::select! {
                    biased;
                    () = self.phase.reached(Phase::Stopping) => {}
                    () = tokio::time::sleep_until(intended) => {}
                }
            } else {
                // Behind the schedule: catching up must not keep the rounds themselves from running.
                tokio::task::yield_now().await;
            }
            if self.phase.now() >= Phase::Stopping {
                break;
            }
            while let Some(ended) = rounds.try_join_next() {
                self.look_at(ended);
            }
            if let Ok(permit) = Arc::clone(&in_flight).try_acquire_owned() {
                self.shared.started.fetch_add(1, Ordering::Relaxed);
                let (session, client) = (self.session.clone(), self.client.clone());
                let shared = Arc::clone(&self.shared);
                rounds.spawn(async move {
                    let _permit = permit;
                    round(session, &client, intended, &shared).await
                });
            } else {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.shared.stopped.get_or_init(Instant::now);
        while let Some(ended) = rounds.join_next().await {
            self.look_at(ended);
        }
    }

    fn look_at(&self, ended: Result<Result<(), LoadError>, JoinError>) {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.failures.report(error),
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    let (load, why) = (self.shared.name.clone(), panic_message(&*panic));
                    self.failures.report(LoadError::Panicked { load, why });
                }
            }
        }
    }
}

/// One arrival: a round of steps. A refused round ends at once, so its time says nothing and is not kept.
async fn round(
    mut session: Session,
    client: &PooledClient,
    intended: Instant,
    shared: &Shared,
) -> Result<(), LoadError> {
    session.begin_round();
    let mut refused = false;
    for index in 0..session.steps() {
        match session.step(index, client).await? {
            Some(end) => refused |= end == StepEnd::Refused,
            None if index == 0 => {
                // The load was stopped between the arrival and its first request.
                shared.started.fetch_sub(1, Ordering::Relaxed);
                return Ok(());
            }
            None => break,
        }
    }
    if !refused {
        let latency = micros(intended.elapsed());
        shared.latency.lock().unwrap_or_else(PoisonError::into_inner).record(latency);
    }
    Ok(())
}
