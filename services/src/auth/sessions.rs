//! Sessions in Redis: whose they are, and the one refresh token that is good now.
//!
//! All tokens of one login belong to one session; without it they are worth nothing. Nothing here is removed by
//! sweeping: every key goes away by itself.

use std::time::Duration;

use uuid::Uuid;

use super::refresh_token::RefreshToken;
use crate::store::{Store, StoreError};

/// How long a session lasts after its login or its latest refresh: longer than the token it outlives, but no longer
/// than needed, since every login of a load leaves a session behind for that long.
pub(super) const LIFETIME: Duration = Duration::from_hours(2);

const OPEN: &str = r"
redis.call('HSET', KEYS[1], 'subject', ARGV[1], 'refresh', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1";

// The one token that is good now is exchanged for the next. One that was exchanged before is in two hands, and nobody
// can tell which are the right ones.
const ROTATE: &str = r"
local session = redis.call('HMGET', KEYS[1], 'subject', 'refresh')
if not session[1] then return {'unknown', ''} end
if session[2] == ARGV[1] then
  redis.call('HSET', KEYS[1], 'refresh', ARGV[2])
  redis.call('EXPIRE', KEYS[1], ARGV[3])
  redis.call('SET', KEYS[2], '', 'EX', ARGV[3])
  return {'rotated', session[1]}
end
if redis.call('DEL', KEYS[2]) == 1 then
  redis.call('DEL', KEYS[1])
  return {'reused', ''}
end
return {'unknown', ''}";

/// The sessions.
#[derive(Clone)]
pub(super) struct Sessions {
    store: Store,
}

/// What became of a refresh token that was shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rotation {
    /// The next one is good now.
    Rotated { subject: String },
    /// It had been exchanged before; the session is ended.
    Reused,
    /// It was never issued, has expired, or its session has ended.
    Unknown,
}

impl Sessions {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Begins the session of `refresh`, with it as the good one.
    pub(super) async fn open(&self, subject: Uuid, refresh: &RefreshToken) -> Result<(), StoreError> {
        let (key, subject, hash) = (key(refresh.session()), subject.to_string(), refresh.hash());
        let _: bool = self.store.script(OPEN, &[&key], &[&subject, &hash, &lifetime()]).await?;
        Ok(())
    }

    /// Exchanges `shown` for `next`, as one step: of many at once one is exchanged.
    pub(super) async fn rotate(
        &self,
        shown: &RefreshToken,
        next: &RefreshToken,
    ) -> Result<Rotation, StoreError> {
        let (key, hash, next) = (key(shown.session()), shown.hash(), next.hash());
        let exchanged = format!("auth:exchanged:{hash}");
        let (outcome, subject): (String, String) =
            self.store.script(ROTATE, &[&key, &exchanged], &[&hash, &next, &lifetime()]).await?;
        Ok(match outcome.as_str() {
            "rotated" => Rotation::Rotated { subject },
            "reused" => Rotation::Reused,
            _ => Rotation::Unknown,
        })
    }

    /// Whose session it is; None when there is no such session.
    pub(super) async fn subject(&self, session: Uuid) -> Result<Option<String>, StoreError> {
        self.store.query(redis::cmd("HGET").arg(key(session)).arg("subject")).await
    }

    /// Ends a session and thereby all its tokens. Whether there was such a session.
    pub(super) async fn end(&self, session: Uuid) -> Result<bool, StoreError> {
        self.store.query(redis::cmd("DEL").arg(key(session))).await
    }
}

fn key(session: Uuid) -> String {
    format!("auth:session:{session}")
}

/// [`LIFETIME`] in seconds, for the scripts.
fn lifetime() -> String {
    LIFETIME.as_secs().to_string()
}
