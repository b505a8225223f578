//! The deliveries of the webhook in Redis: a list, the newest last, of bounded length, numbered without
//! a gap.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::webhook::{Status, Webhook};
use crate::store::{Store, StoreError};

const LIST: &str = "notification:deliveries";
const SEQUENCE: &str = "notification:deliveries:sequence";
const KEPT: &str = "10000";

const KEEP: &str = r"
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], -ARGV[2], -1)
return redis.call('INCR', KEYS[2])";

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
}

/// A delivery as it is stored: all but its number.
#[derive(Serialize)]
struct Kept<'a> {
    received_at: String,
    receiver: &'a str,
    status: Status,
    group_key: &'a str,
    group_labels: &'a Map<String, Value>,
    alerts: &'a [Map<String, Value>],
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
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Keeps a delivery and answers its number; the first is 1.
    pub(super) async fn keep(&self, webhook: &Webhook, received_at: Timestamp) -> Result<u64, StoreError> {
        let kept = Kept {
            received_at: format!("{received_at:.6}"),
            receiver: &webhook.receiver,
            status: webhook.status,
            group_key: &webhook.group_key,
            group_labels: &webhook.group_labels,
            alerts: &webhook.alerts,
        };
        self.store.script(KEEP, &[LIST, SEQUENCE], &[&json!(kept).to_string(), KEPT]).await
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
