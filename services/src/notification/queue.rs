//! One channel's queue in Redis: a list of jobs, the oldest first, and what is known of the attempts at the oldest.
//!
//! Jobs are sent strictly in order, so that nobody hears of an alert's end before its beginning. A job stays in
//! the queue until it is known to be sent or given up: whoever ends in between has lost nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::dead_letters;
use super::delivery::Delivery;
use crate::store::{Store, StoreError};

// The head's `due` is when the next attempt may begin; while one is made, when it must have ended.
const TAKE: &str = r"
local job = redis.call('LINDEX', KEYS[1], 0)
if not job then return {0, 0, 0, ''} end
local length = redis.call('LLEN', KEYS[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = tonumber(redis.call('HGET', KEYS[2], 'due') or '0')
if due > now then return {length, due - now, 0, ''} end
redis.call('HSET', KEYS[2], 'token', ARGV[1], 'due', string.format('%.0f', now + ARGV[2]))
return {length, 0, redis.call('HINCRBY', KEYS[2], 'attempts', 1), job}";

// Each of these does nothing when the attempt took too long and the job is in other hands.
const FINISH: &str = r"
if redis.call('HGET', KEYS[2], 'token') == ARGV[1] then
  redis.call('LPOP', KEYS[1])
  redis.call('DEL', KEYS[2])
end
return redis.call('LLEN', KEYS[1])";

const POSTPONE: &str = r"
if redis.call('HGET', KEYS[2], 'token') == ARGV[1] then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('HSET', KEYS[2], 'due', string.format('%.0f', now + ARGV[2]))
end
return redis.call('LLEN', KEYS[1])";

const BURY: &str = r"
if redis.call('HGET', KEYS[2], 'token') == ARGV[1] then
  redis.call('RPUSH', KEYS[3], ARGV[2] .. redis.call('LPOP', KEYS[1]) .. '}')
  redis.call('LTRIM', KEYS[3], -ARGV[3], -1)
  redis.call('DEL', KEYS[2])
end
return redis.call('LLEN', KEYS[1])";

/// One delivery to be sent through one channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Job {
    /// The same in every attempt.
    pub(super) id: Uuid,
    pub(super) sequence: u64,
    pub(super) notification: Delivery,
}

/// A job in hand.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) job: Job,
    /// Which attempt this is, from 1.
    pub(super) attempt: u32,
    token: String,
}

/// What is to be done now.
#[derive(Debug)]
pub(super) enum Next {
    /// The queue is empty.
    Nothing,
    /// The oldest job is not due yet, or in other hands.
    Wait(Duration),
    /// This.
    Job(Box<Taken>),
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was sent.
    Finish,
    /// It is tried again after this time.
    Postpone(Duration),
    /// It is given up, for this reason.
    Bury(String),
}

/// The queue of one channel.
#[derive(Clone)]
pub(super) struct Queue {
    store: Store,
    channel: &'static str,
    /// An attempt that takes longer is taken for lost with whoever made it.
    longest_attempt: Duration,
}

impl Queue {
    pub(super) fn new(store: Store, channel: &'static str, longest_attempt: Duration) -> Self {
        Self { store, channel, longest_attempt }
    }

    /// The oldest job if it is due, and how many there are.
    pub(super) async fn take(&self) -> Result<(Next, u64), StoreError> {
        let token = Uuid::new_v4().simple().to_string();
        let longest = self.longest_attempt.as_millis().to_string();
        let (length, wait, attempt, job): (u64, u64, u32, String) =
            self.store.script(TAKE, &self.keys().each(), &[&token, &longest]).await?;
        if length == 0 {
            return Ok((Next::Nothing, 0));
        }
        if job.is_empty() {
            return Ok((Next::Wait(Duration::from_millis(wait)), length));
        }
        let job = serde_json::from_str(&job).map_err(|_| {
            StoreError::Failed(redis::RedisError::from((redis::ErrorKind::Parse, "not a job in the queue")))
        })?;
        Ok((Next::Job(Box::new(Taken { job, attempt, token })), length))
    }

    /// Notes what became of an attempt; how many jobs there are then.
    pub(super) async fn settle(&self, taken: &Taken, verdict: &Verdict) -> Result<u64, StoreError> {
        let keys = self.keys();
        match verdict {
            Verdict::Finish => self.store.script(FINISH, &keys.each(), &[&taken.token]).await,
            Verdict::Postpone(delay) => {
                let delay = delay.as_millis().to_string();
                self.store.script(POSTPONE, &keys.each(), &[&taken.token, &delay]).await
            }
            Verdict::Bury(reason) => {
                let head = dead_letters::head(self.channel, taken.attempt, reason);
                let keys = [keys.jobs.as_str(), keys.head.as_str(), dead_letters::LIST];
                self.store.script(BURY, &keys, &[&taken.token, &head, dead_letters::KEPT]).await
            }
        }
    }

    fn keys(&self) -> Keys {
        keys(self.channel)
    }
}

/// The keys of a channel's queue.
pub(super) struct Keys {
    pub(super) jobs: String,
    /// What is known of the attempts at the oldest job; absent when none was made.
    pub(super) head: String,
}

impl Keys {
    fn each(&self) -> [&str; 2] {
        [&self.jobs, &self.head]
    }
}

pub(super) fn keys(channel: &str) -> Keys {
    let jobs = format!("notification:queue:{channel}");
    Keys { head: format!("{jobs}:head"), jobs }
}

/// How many alerts a job as it is stored has.
pub(super) fn alerts(job: &str) -> u64 {
    serde_json::from_str::<Job>(job).map_or(0, |job| job.notification.alerts.len() as u64)
}

/// The beginning of a job as it is stored, to which its sequence, `,"notification":`, the delivery and `}` are added.
pub(super) fn beginning() -> String {
    let id = json!(Uuid::new_v4());
    format!(r#"{{"id":{id},"sequence":"#)
}
