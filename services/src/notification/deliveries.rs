//! The deliveries of the webhook in Redis: a list, the newest last, of bounded length, numbered without
//! a gap; and handing each to the channels' queues.
//!
//! Keeping a delivery, queueing it and knowing it again are one step: a delivery is kept and queued, or neither.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::dead_letters;
use super::delivery::Delivery;
use super::queue;
use crate::store::{Store, StoreError};

const LIST: &str = "notification:deliveries";
const SEQUENCE: &str = "notification:deliveries:sequence";
const KNOWN_PREFIX: &str = "notification:known:";
const KEPT: &str = "10000";

// KEYS: the list, its sequence, the prefix of known deliveries, the dead letters; then two of each channel.
// ARGV: delivery, how many are kept, identity, window, job's beginning, queue's length, dead letters kept; then of
// each channel the beginning of a dead letter.
const KEEP: &str = r#"
local known = KEYS[3] .. redis.sha1hex(ARGV[3])
local window = tonumber(ARGV[4])
if window > 0 then
  local sequence = redis.call('GET', known)
  if sequence then return {tonumber(sequence), 1, {}, {}} end
end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], -ARGV[2], -1)
local sequence = redis.call('INCR', KEYS[2])
if window > 0 then redis.call('SET', known, sequence, 'PX', window) end
local job = ARGV[5] .. string.format('%.0f', sequence) .. ',"notification":' .. ARGV[1] .. '}'
local lengths, displaced = {}, {}
for channel = 1, (#KEYS - 4) / 2 do
  local jobs, head = KEYS[3 + 2 * channel], KEYS[4 + 2 * channel]
  local length = redis.call('RPUSH', jobs, job)
  while length > tonumber(ARGV[6]) do
    -- The oldest that nobody has begun to send.
    local index = redis.call('EXISTS', head)
    local oldest = redis.call('LINDEX', jobs, index)
    redis.call('LSET', jobs, index, '')
    redis.call('LREM', jobs, 1, '')
    redis.call('RPUSH', KEYS[4], ARGV[7 + channel] .. oldest .. '}')
    redis.call('LTRIM', KEYS[4], -ARGV[7], -1)
    table.insert(displaced, {channel - 1, oldest})
    length = length - 1
  end
  table.insert(lengths, length)
end
return {sequence, 0, lengths, displaced}"#;

// The last element has the latest number, and there is no gap.
const SINCE: &str = r"
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local first = last - redis.call('LLEN', KEYS[1]) + 1
local from = math.max(tonumber(ARGV[1]), first)
if from > last then return {last + 1, {}} end
return {from, redis.call('LRANGE', KEYS[1], from - first, from - first + ARGV[2] - 1)}";

/// The deliveries.
#[derive(Clone)]
pub(super) struct Deliveries {
    store: Store,
    /// Those that each delivery is sent through.
    channels: Vec<&'static str>,
    queue_length: usize,
    /// For so long a delivery is known again.
    window: Duration,
}

/// What became of a delivery.
#[derive(Debug)]
pub(super) enum Arrival {
    /// It is new, kept and queued.
    New {
        /// Its number; the first is 1.
        sequence: u64,
        /// The length of each channel's queue, in the order of the channels.
        lengths: Vec<u64>,
        /// What had to make place: the index of its channel, and how many alerts it had.
        displaced: Vec<(usize, u64)>,
    },
    /// It is here already, under this number.
    Known(u64),
}

/// Some deliveries, and the number to ask for next.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    notifications: Vec<Numbered>,
    next: u64,
}

#[derive(Debug, Serialize)]
struct Numbered {
    sequence: u64,
    #[serde(flatten)]
    kept: Map<String, Value>,
}

impl Deliveries {
    pub(super) fn new(
        store: Store,
        channels: Vec<&'static str>,
        queue_length: usize,
        window: Duration,
    ) -> Self {
        Self { store, channels, queue_length, window }
    }

    /// Keeps a delivery and queues it for every channel, unless it is known.
    pub(super) async fn keep(&self, delivery: &Delivery) -> Result<Arrival, StoreError> {
        let queues: Vec<queue::Keys> = self.channels.iter().map(|channel| queue::keys(channel)).collect();
        let mut keys = vec![LIST, SEQUENCE, KNOWN_PREFIX, dead_letters::LIST];
        keys.extend(queues.iter().flat_map(|queue| [queue.jobs.as_str(), queue.head.as_str()]));

        let (kept, identity) = (json!(delivery).to_string(), delivery.identity());
        let (window, job) = (self.window.as_millis().to_string(), queue::beginning());
        let queue_length = self.queue_length.to_string();
        let dead: Vec<String> = self
            .channels
            .iter()
            .map(|channel| dead_letters::head(channel, 0, "the queue was full"))
            .collect();
        let mut arguments =
            vec![kept.as_str(), KEPT, &identity, &window, &job, &queue_length, dead_letters::KEPT];
        arguments.extend(dead.iter().map(String::as_str));

        let (sequence, known, lengths, displaced): (u64, bool, Vec<u64>, Vec<(usize, String)>) =
            self.store.script(KEEP, &keys, &arguments).await?;
        if known {
            return Ok(Arrival::Known(sequence));
        }
        let displaced = displaced.into_iter().map(|(channel, job)| (channel, queue::alerts(&job))).collect();
        Ok(Arrival::New { sequence, lengths, displaced })
    }

    /// At most `limit` deliveries with the number `since` or higher, oldest first.
    pub(super) async fn since(&self, since: u64, limit: usize) -> Result<Page, StoreError> {
        let arguments = [since.to_string(), limit.to_string()];
        let (from, kept): (u64, Vec<String>) =
            self.store.script(SINCE, &[LIST, SEQUENCE], &[&arguments[0], &arguments[1]]).await?;
        let next = from + kept.len() as u64;
        let notifications = (from..)
            .zip(kept)
            .filter_map(|(sequence, kept)| {
                Some(Numbered { sequence, kept: serde_json::from_str(&kept).ok()? })
            })
            .collect();
        Ok(Page { notifications, next })
    }
}
