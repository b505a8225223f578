//! How late the harness's own timers ring: the measure of how late those of the monitored programs may, on the same host.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::evidence::LatenessSample;

/// From one timer to the next.
const EVERY: Duration = Duration::from_millis(25);

/// Sets one timer after the other, beside all other work of the harness, until it is dropped.
#[derive(Debug)]
pub(super) struct LatenessWatch {
    worst_us: Arc<AtomicU64>,
    timers: JoinHandle<()>,
}

impl LatenessWatch {
    /// Begins; must be called inside a runtime.
    pub(super) fn begin() -> Self {
        let worst_us = Arc::new(AtomicU64::new(0));
        let worst = Arc::clone(&worst_us);
        let timers = tokio::spawn(async move {
            loop {
                let due = Instant::now() + EVERY;
                sleep_until(due).await;
                let late = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
                worst.fetch_max(late, Ordering::Relaxed);
            }
        });
        Self { worst_us, timers }
    }

    /// The latest ring since the look before.
    pub(super) fn look(&self) -> LatenessSample {
        let worst = Duration::from_micros(self.worst_us.swap(0, Ordering::Relaxed));
        LatenessSample { at: Timestamp::now(), worst: worst.as_secs_f64() }
    }
}

impl Drop for LatenessWatch {
    fn drop(&mut self) {
        self.timers.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_latest_ring_is_told_once() {
        let watch = LatenessWatch::begin();
        // The timer is set before time moves past it.
        tokio::task::yield_now().await;
        tokio::time::advance(EVERY + Duration::from_millis(300)).await;
        tokio::task::yield_now().await;
        assert!(watch.look().worst >= 0.3);
        assert!(watch.look().worst < 0.3);
    }
}
