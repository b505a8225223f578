//! The users' own notifications in Redis: a list, the newest first, of bounded length.

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::store::{Store, StoreError};

const LIST: &str = "notification:messages";
const KEPT: &str = "10000";

const KEEP: &str = r"
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
return 1";

/// A notification for a user.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Message {
    id: Uuid,
    to: String,
    text: String,
    /// RFC 3339.
    created_at: String,
}

impl Message {
    pub(super) fn new(to: String, text: String) -> Self {
        let created_at = format!("{:.6}", jiff::Timestamp::now());
        Self { id: Uuid::new_v4(), to, text, created_at }
    }
}

/// The notifications.
#[derive(Clone)]
pub(super) struct Messages {
    store: Store,
}

impl Messages {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    pub(super) async fn keep(&self, message: &Message) -> Result<(), StoreError> {
        let _: u64 = self.store.script(KEEP, &[LIST], &[&json!(message).to_string(), KEPT]).await?;
        Ok(())
    }

    /// At most `limit`, the newest first.
    pub(super) async fn newest(&self, limit: usize) -> Result<Vec<Message>, StoreError> {
        let kept: Vec<String> =
            self.store.query(redis::cmd("LRANGE").arg(LIST).arg(0).arg(limit - 1)).await?;
        Ok(kept.iter().filter_map(|message| serde_json::from_str(message).ok()).collect())
    }
}
