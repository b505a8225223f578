//! Waiting for a condition: bounded, saying what was waited for and what was last seen.
//!
//! Nothing in this project sleeps to wait; it asks again until the answer is right or the deadline has passed. It
//! does not know what is asked.

use std::time::Duration;

use thiserror::Error;
use tokio::time::{Instant, sleep_until, timeout_at};

/// How long to wait between two looks at a condition.
const POLL: Duration = Duration::from_millis(20);

/// One look at a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe<T> {
    /// The condition holds.
    Ready(T),
    /// It does not hold yet; what was seen instead, as a fragment that reads after "last seen:".
    NotYet(String),
}

/// A condition that did not come to hold in time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("wait until {waited_for}: not so within {:.1} s, last seen: {last_seen}", after.as_secs_f64())]
pub struct DeadlinePassed {
    /// The condition, as a clause: `prometheus is ready`.
    pub waited_for: String,
    /// The time from the start of the deadline to its end.
    pub after: Duration,
    /// What the last finished look saw.
    pub last_seen: String,
}

/// An instant by which conditions must hold. One deadline can bound many waits.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    began: Instant,
    ends: Instant,
}

impl Deadline {
    /// A deadline that ends `time` from now.
    pub fn after(time: Duration) -> Self {
        let began = Instant::now();
        Self { began, ends: began + time }
    }

    /// The time left, zero once it has passed.
    pub fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    /// The time since the deadline was set.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Looks every 20 ms until `probe` is ready. A look that hangs ends with the deadline; at least one look is begun
    /// even when the deadline has passed. `what` is a clause: `prometheus is ready`.
    pub async fn until<T, Looking>(
        &self,
        what: &str,
        mut probe: impl FnMut() -> Looking,
    ) -> Result<T, DeadlinePassed>
    where
        Looking: Future<Output = Probe<T>>,
    {
        let mut last_seen = "no answer at all".to_owned();
        loop {
            match timeout_at(self.ends, probe()).await {
                Ok(Probe::Ready(value)) => return Ok(value),
                Ok(Probe::NotYet(seen)) => last_seen = seen,
                Err(_) => {}
            }
            let now = Instant::now();
            if now >= self.ends {
                let after = self.ends - self.began;
                return Err(DeadlinePassed { waited_for: what.to_owned(), after, last_seen });
            }
            sleep_until((now + POLL).min(self.ends)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_condition_that_comes_to_hold_ends_the_wait() {
        let mut looks = 0;
        let value =
            Deadline::after(Duration::from_secs(1))
                .until("three looks were taken", || {
                    looks += 1;
                    let seen = looks;
                    async move {
                        if seen == 3 { Probe::Ready(seen) } else { Probe::NotYet(format!("{seen} looks")) }
                    }
                })
                .await;
        assert_eq!(value, Ok(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_passed_deadline_says_what_was_waited_for_and_last_seen() {
        let error = Deadline::after(Duration::from_secs(2))
            .until("prometheus is ready", async || Probe::<()>::NotYet("503".to_owned()))
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "wait until prometheus is ready: not so within 2.0 s, last seen: 503");
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_hangs_ends_with_the_deadline() {
        let deadline = Deadline::after(Duration::from_secs(2));
        let error = deadline.until("it answers", std::future::pending::<Probe<()>>).await.unwrap_err();
        assert_eq!(error.last_seen, "no answer at all");
        assert_eq!(deadline.left(), Duration::ZERO);
    }
}
