//! Limiting failed logins of one name, whether there is such an account or not.
//!
//! A sliding window: the times of the latest failures, as many as are allowed, in a list that goes away by itself.
//! Right passwords are never counted, however many.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::store::{Store, StoreError};

/// How many logins may fail within [`WINDOW`].
const ALLOWED: usize = 10;
const WINDOW: Duration = Duration::from_mins(1);

// Answers how many milliseconds are left until the oldest of the allowed failures leaves the window, 0 if it is not
// in there. What is refused for that reason is no further failure: waiting helps, whatever others try meanwhile.
const SCRIPT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local oldest = redis.call('LINDEX', KEYS[1], ARGV[1] - 1)
local left = oldest and oldest + ARGV[2] - now or 0
if left > 0 then return left end
if ARGV[3] == 'failed' then
  redis.call('LPUSH', KEYS[1], now)
  redis.call('LTRIM', KEYS[1], 0, ARGV[1] - 1)
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0";

/// The latest failures of each name.
#[derive(Clone)]
pub(super) struct FailedLogins {
    store: Store,
}

impl FailedLogins {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// How long logins with this name are still refused; None when they are not.
    pub(super) async fn limited(&self, username: &str) -> Result<Option<Duration>, StoreError> {
        self.ask(username, "limited").await
    }

    /// Counts one more failure, unless logins with this name are refused already: then as [`Self::limited`].
    pub(super) async fn record(&self, username: &str) -> Result<Option<Duration>, StoreError> {
        self.ask(username, "failed").await
    }

    async fn ask(&self, username: &str, what: &str) -> Result<Option<Duration>, StoreError> {
        // Names of a login are of any length; keys are not.
        let key = format!("auth:failed:{:x}", Sha256::digest(username));
        let (allowed, window) = (ALLOWED.to_string(), WINDOW.as_millis().to_string());
        let left: u64 = self.store.script(SCRIPT, &[&key], &[&allowed, &window, what]).await?;
        Ok(Some(Duration::from_millis(left)).filter(|left| !left.is_zero()))
    }
}
