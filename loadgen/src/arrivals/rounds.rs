//! Starting rounds on schedule, each a task of its own, and timing them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::client::PooledClient;
use super::load::Shared;
use super::shared_session::SharedSession;
use crate::LoadError;
use crate::clock::micros;
use crate::error::panic_message;
use crate::phase::{Failures, Phase, PhaseWatch};
use crate::schedule::intended_start;
use crate::session::{Session, StepEnd};

/// Most rounds in flight; further starts are dropped and counted.
const MAX_IN_FLIGHT: usize = 1000;

/// Starts rounds as they are due, and waits for them in the end.
pub(super) struct Rounds {
    pub(super) shared: Arc<Shared>,
    pub(super) session: Arc<SharedSession>,
    pub(super) client: PooledClient,
    pub(super) phase: PhaseWatch,
    pub(super) failures: Failures,
}

impl Rounds {
    pub(super) async fn run(self) {
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
                let (sessions, client) = (Arc::clone(&self.session), self.client.clone());
                let shared = Arc::clone(&self.shared);
                rounds.spawn(async move {
                    let mut session = sessions.current();
                    round(&mut session, &client, intended, &shared).await?;
                    drop(permit);
                    if session.is_locked_out() { sessions.renew(session, &client).await } else { Ok(()) }
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
    session: &mut Session,
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
