//! Sending what is in a channel's queue, one job after the other, until the service stops.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::channel::{Again, Channel, SendError};
use super::config::SendingConfig;
use super::metrics::ChannelMetrics;
use super::queue::{Next, Queue, Taken, Verdict};
use super::retry;
use crate::server::Stopping;
use crate::store::{Store, StoreError};

/// So often the queue is looked at without being told: another process may have filled it, or have left a job.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// An attempt under way when the service stops may still take this long.
const LONGEST_FAREWELL: Duration = Duration::from_secs(2);
/// Between the end of an attempt and noting what became of it.
const SETTLING: Duration = Duration::from_secs(5);

/// The worker of one channel.
pub(super) struct Worker {
    channel: Channel,
    queue: Queue,
    sending: SendingConfig,
    metrics: ChannelMetrics,
    news: Arc<Notify>,
    stopping: Stopping,
}

impl Worker {
    pub(super) fn new(
        channel: Channel,
        store: Store,
        sending: SendingConfig,
        metrics: ChannelMetrics,
        news: Arc<Notify>,
        stopping: Stopping,
    ) -> Self {
        let queue = Queue::new(store, channel.name(), sending.timeout + SETTLING);
        Self { channel, queue, sending, metrics, news, stopping }
    }

    /// Returns when the service stops; what is not sent by then stays in the queue.
    pub(super) async fn run(mut self) {
        let mut told = false;
        let mut stopping = self.stopping.clone();
        loop {
            let wait = match self.step().await {
                Ok(wait) => {
                    told = false;
                    wait.min(LOOK_EVERY)
                }
                Err(error) => {
                    if !told {
                        tracing::warn!(%error, channel = self.channel.name(), "failed to read a queue");
                    }
                    told = true;
                    LOOK_EVERY
                }
            };
            tokio::select! {
                biased;
                () = stopping.begun() => return,
                () = self.news.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Sends the oldest job if it is due; how long there is nothing to do then.
    async fn step(&mut self) -> Result<Duration, StoreError> {
        let (next, length) = self.queue.take().await?;
        self.metrics.queued(length);
        let taken = match next {
            Next::Nothing => return Ok(LOOK_EVERY),
            Next::Wait(wait) => return Ok(wait),
            Next::Job(taken) => taken,
        };
        let verdict = self.attempt(&taken).await;
        let alerts = taken.job.notification.alerts.len() as u64;
        let channel = self.channel.name();
        match &verdict {
            Verdict::Finish => self.metrics.sent(alerts),
            Verdict::Postpone(_) => self.metrics.retried(),
            Verdict::Bury(reason) => {
                let sequence = taken.job.sequence;
                tracing::error!(
                    channel,
                    sequence,
                    attempts = taken.attempt,
                    reason,
                    "a notification was given up"
                );
                self.metrics.given_up(alerts);
            }
        }
        self.settle(&taken, &verdict).await;
        Ok(match verdict {
            Verdict::Finish | Verdict::Bury(_) => Duration::ZERO,
            Verdict::Postpone(delay) => delay,
        })
    }

    async fn attempt(&mut self, taken: &Taken) -> Verdict {
        let late = || SendError {
            reason: format!("no answer within {} ms", self.sending.timeout.as_millis()),
            again: Again::Later(None),
        };
        let stopping = &mut self.stopping;
        let result = tokio::select! {
            sent = tokio::time::timeout(self.sending.timeout, self.channel.send(&taken.job)) => {
                sent.unwrap_or_else(|_| Err(late()))
            }
            () = async { stopping.begun().await; tokio::time::sleep(LONGEST_FAREWELL).await } => {
                // The next process need not wait until this attempt is taken for lost.
                return Verdict::Postpone(Duration::ZERO);
            }
        };
        if let Err(error) = &result {
            let channel = self.channel.name();
            tracing::warn!(%error, channel, attempt = taken.attempt, "failed to send a notification");
        }
        retry::verdict(result, taken.attempt, &self.sending, rand::random())
    }

    /// Noted as soon as Redis is there: a job that was sent should not be sent again.
    async fn settle(&mut self, taken: &Taken, verdict: &Verdict) {
        loop {
            match self.queue.settle(taken, verdict).await {
                Ok(length) => return self.metrics.queued(length),
                Err(error) => tracing::warn!(%error, "failed to note what became of a notification"),
            }
            tokio::select! {
                () = self.stopping.begun() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}
