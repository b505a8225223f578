//! This process's one subscription to the rooms, kept alive, and what is written to a room's channel.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;

use super::hub::{Delivery, Hub};
use crate::store::{COMMAND_TIMEOUT, Store, StoreError};

const CHANNEL_PREFIX: &str = "room:";
const CHANNEL_PATTERN: &str = "room:*";
const BEFORE_NEXT_ATTEMPT: Duration = Duration::from_millis(200);

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
        let payload = std::str::from_utf8(message.get_payload_bytes()).ok();
        if let (Some(room), Some((origin, text))) = (room, payload.and_then(|text| text.split_once(' '))) {
            hub.deliver(room, &Delivery { origin: origin.into(), text: text.into() });
        }
    }
    Ok(())
}

/// Whether anybody, this process included, was subscribed.
pub(super) async fn publish(store: &Store, room: &str, origin: &str, text: &str) -> Result<bool, StoreError> {
    let channel = format!("{CHANNEL_PREFIX}{room}");
    let subscribers: u64 =
        store.query(redis::cmd("PUBLISH").arg(channel).arg(format!("{origin} {text}"))).await?;
    Ok(subscribers > 0)
}
