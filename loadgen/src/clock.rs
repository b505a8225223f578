//! One zero for a whole load: wall time and the monotonic clock read together.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Tells microseconds since the load's zero; never goes back, whatever happens to the wall clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    zero: Timestamp,
    instant: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { zero: Timestamp::now(), instant: Instant::now() }
    }

    pub(crate) fn zero(&self) -> Timestamp {
        self.zero
    }

    pub(crate) fn now_us(&self) -> u64 {
        micros(self.instant.elapsed())
    }
}

/// Whole microseconds.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
