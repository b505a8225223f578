//! What was said in a room: a stream in Redis, bounded in length, gone when the room was idle for a day.
//!
//! A message is kept and published in one step, so the order of the history is the order of delivery.

use axum::extract::ws::Utf8Bytes;

use super::sequence::{NoSequence, Sequence};
use super::subscription;
use crate::store::{Store, StoreError};

/// A room keeps at least this many messages, and a few more.
const KEPT: &str = "1000";
const KEPT_WHILE_IDLE_MS: &str = "86400000";

const PUBLISH: &str = r"
local sequence = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'message', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PUBLISH', KEYS[2], ARGV[4] .. ' ' .. sequence .. ' ' .. ARGV[3])
return sequence";

// Whoever knows no message has missed none as long as nothing can have been cut off. Otherwise something must be
// kept from before and from after the place asked for: a history that was lost begins after it or ends before it.
const AFTER: &str = r"
local key, after, kept = KEYS[1], ARGV[1], tonumber(ARGV[3])
local newest = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
local reaches
if after == '0-0' then
  reaches = redis.call('XLEN', key) < kept
else
  reaches = #redis.call('XRANGE', key, '-', after, 'COUNT', 1) > 0
    and #redis.call('XRANGE', key, after, '+', 'COUNT', 1) > 0
end
return {
  newest[1] and newest[1][1] or '0-0',
  reaches and 1 or 0,
  redis.call('XRANGE', key, '(' .. after, '+', 'COUNT', ARGV[2]),
}";

/// An entry as Redis gives it: its number, and its only field with the value.
type Entry = (String, (String, String));

/// The rooms' histories.
#[derive(Clone)]
pub(super) struct History {
    store: Store,
}

/// Some messages of a room.
#[derive(Debug)]
pub(super) struct Page {
    /// The newest message of the room, whether on this page or not; the first place when there is none.
    pub(super) last: Sequence,
    /// Nothing after the place that was asked for has been cut off.
    pub(super) reaches: bool,
    /// The frames, oldest first.
    pub(super) messages: Vec<(Sequence, Utf8Bytes)>,
}

impl History {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Appends a message, a JSON object without its `seq`, and hands it to all who are subscribed.
    pub(super) async fn publish(&self, room: &str, origin: &str, message: &str) -> Result<(), StoreError> {
        let (key, channel) = (key(room), subscription::channel(room));
        let arguments = [KEPT, KEPT_WHILE_IDLE_MS, message, origin];
        let _: String = self.store.script(PUBLISH, &[&key, &channel], &arguments).await?;
        Ok(())
    }

    /// The newest message's place, the first when there is none.
    pub(super) async fn last(&self, room: &str) -> Result<Sequence, StoreError> {
        let newest = redis::cmd("XREVRANGE").arg(key(room)).arg("+").arg("-").arg("COUNT").arg(1).to_owned();
        let newest: Vec<Entry> = self.store.query(&newest).await?;
        newest.first().map_or(Ok(Sequence::FIRST), |(sequence, _)| parse(sequence))
    }

    /// At most `limit` messages after a place, oldest first.
    pub(super) async fn after(&self, room: &str, after: Sequence, limit: usize) -> Result<Page, StoreError> {
        let arguments = [after.to_string(), limit.to_string()];
        let (last, reaches, entries): (String, bool, Vec<Entry>) =
            self.store.script(AFTER, &[&key(room)], &[&arguments[0], &arguments[1], KEPT]).await?;
        let messages = entries
            .into_iter()
            .map(|(sequence, (_, message))| {
                let sequence = parse(&sequence)?;
                Ok((sequence, frame(sequence, &message)))
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Page { last: parse(&last)?, reaches, messages })
    }
}

/// A message with its place, as members receive it.
pub(super) fn frame(sequence: Sequence, message: &str) -> Utf8Bytes {
    // A message is an object with fields, always.
    let fields = message.strip_prefix('{').unwrap_or(message);
    format!(r#"{{"seq":"{sequence}",{fields}"#).into()
}

fn key(room: &str) -> String {
    format!("chat:history:{room}")
}

fn parse(sequence: &str) -> Result<Sequence, StoreError> {
    sequence.parse().map_err(|NoSequence| {
        StoreError::Failed(redis::RedisError::from((redis::ErrorKind::Parse, "not the number of an entry")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_the_message_with_its_place() {
        let frame = frame("12-3".parse().expect("a place"), r#"{"id":"1","text":"hi"}"#);
        let value: serde_json::Value = serde_json::from_str(frame.as_str()).expect("JSON");
        assert_eq!(value, serde_json::json!({ "seq": "12-3", "id": "1", "text": "hi" }));
    }
}
