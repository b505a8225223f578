//! What could not be sent: a bounded list in Redis, the newest last.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::delivery::Delivery;
use super::queue::Job;
use crate::store::{Store, StoreError};

pub(super) const LIST: &str = "notification:dead-letters";
pub(super) const KEPT: &str = "1000";

/// A job that was given up, as it is served.
#[derive(Debug, Serialize)]
pub(super) struct DeadLetter {
    channel: String,
    attempts: u32,
    reason: String,
    /// RFC 3339.
    died_at: String,
    sequence: u64,
    notification: Delivery,
}

/// As it is stored.
#[derive(Deserialize)]
struct Stored {
    channel: String,
    attempts: u32,
    reason: String,
    died_at: String,
    job: Job,
}

/// The beginning of a dead letter as it is stored, to which the job and `}` are added.
pub(super) fn head(channel: &str, attempts: u32, reason: &str) -> String {
    let died_at = format!("{:.6}", jiff::Timestamp::now());
    let (channel, reason) = (json!(channel), json!(reason));
    format!(r#"{{"channel":{channel},"attempts":{attempts},"reason":{reason},"died_at":"{died_at}","job":"#)
}

/// At most `limit`, the newest first.
pub(super) async fn newest(store: &Store, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
    // A page of list elements, counted from the end.
    let from = format!("-{limit}");
    let kept: Vec<String> = store.query(redis::cmd("LRANGE").arg(LIST).arg(from).arg(-1)).await?;
    let letter = |text: &String| {
        let Stored { channel, attempts, reason, died_at, job } = serde_json::from_str(text).ok()?;
        let Job { id: _, sequence, notification } = job;
        Some(DeadLetter { channel, attempts, reason, died_at, sequence, notification })
    };
    Ok(kept.iter().rev().filter_map(letter).collect())
}
