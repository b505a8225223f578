//! When to ask a silent member whether it is still there, and when to give it up.

use std::time::Duration;

use tokio::time::Instant;

/// From one ping to the next.
pub(super) const INTERVAL: Duration = Duration::from_secs(15);
/// A member that was not heard for so many intervals is given up.
const LONGEST_SILENCE_INTERVALS: u32 = 2;

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    Ping,
    GiveUp,
}

/// The heartbeat of one connection.
pub(super) struct Heartbeat {
    interval: Duration,
    heard: Instant,
    due: Instant,
}

impl Heartbeat {
    pub(super) fn new(interval: Duration) -> Self {
        let now = Instant::now();
        Self { interval, heard: now, due: now + interval }
    }

    /// The member sent something.
    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// Waits until something is due.
    pub(super) async fn beat(&mut self) -> Beat {
        tokio::time::sleep_until(self.due).await;
        self.due = Instant::now() + self.interval;
        if self.heard.elapsed() < self.interval * LONGEST_SILENCE_INTERVALS {
            Beat::Ping
        } else {
            Beat::GiveUp
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_member_that_answers_is_asked_for_ever() {
        let mut heartbeat = Heartbeat::new(INTERVAL);
        for _ in 0..100 {
            assert_eq!(heartbeat.beat().await, Beat::Ping);
            heartbeat.heard();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_that_is_silent_for_two_intervals_is_given_up() {
        let begun = Instant::now();
        let mut heartbeat = Heartbeat::new(INTERVAL);
        assert_eq!(heartbeat.beat().await, Beat::Ping);
        assert_eq!(heartbeat.beat().await, Beat::GiveUp);
        assert_eq!(begun.elapsed().as_secs(), 30);
    }
}
