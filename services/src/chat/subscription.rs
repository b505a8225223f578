//! This process's one subscription to the rooms, kept alive.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;

use super::history;
use super::hub::{Delivery, Hub};
use super::sequence::Sequence;
use crate::store::{COMMAND_TIMEOUT, Store, StoreError};

const CHANNEL_PREFIX: &str = "room:";
const CHANNEL_PATTERN: &str = "room:*";
const BEFORE_NEXT_ATTEMPT: Duration = Duration::from_millis(200);

/// The channel of a room. What is written to it is the sender's membership, the message's place and the message,
/// with a space between.
pub(super) fn channel(room: &str) -> String {
    format!("{CHANNEL_PREFIX}{room}")
}

/// Subscribes, delivers until the connection is lost, and begins again; never returns.
pub(super) async fn keep(store: Store, hub: Arc<Hub>) {
    let mut told = false;
    loop {
        match deliver_until_lost(&store, &hub).await {
            Ok(()) => {
                tracing::warn!("the subscription to redis was lost");
                told = false;
            }
            Err(error) if !told => {
                tracing::warn!(%error, "failed to subscribe to redis");
                told = true;
            }
            Err(_) => {}
        }
        hub.go_dark();
        tokio::time::sleep(BEFORE_NEXT_ATTEMPT).await;
    }
}

async fn deliver_until_lost(store: &Store, hub: &Hub) -> Result<(), StoreError> {
    let mut subscriber = store.subscriber().await?;
    tokio::time::timeout(COMMAND_TIMEOUT, subscriber.psubscribe(CHANNEL_PATTERN))
        .await
        .map_err(|_| StoreError::Timeout)?
        .map_err(StoreError::Failed)?;
    hub.go_live();
    let mut messages = subscriber.on_message();
    while let Some(message) = messages.next().await {
        let room = message.get_channel_name().strip_prefix(CHANNEL_PREFIX);
        let delivery = std::str::from_utf8(message.get_payload_bytes()).ok().and_then(delivery);
        if let (Some(room), Some(delivery)) = (room, delivery) {
            hub.deliver(room, delivery);
        }
    }
    Ok(())
}

fn delivery(payload: &str) -> Option<Delivery> {
    let (origin, rest) = payload.split_once(' ')?;
    let (sequence, message) = rest.split_once(' ')?;
    let sequence: Sequence = sequence.parse().ok()?;
    Some(Delivery::Message { origin: origin.into(), sequence, text: history::frame(sequence, message) })
}
