//! One member's WebSocket, from its upgrade to its closing handshake.
//!
//! A member's next frame is read only when its last message has come back through Redis and everything
//! queued was written: so whoever closes has, with the reply to its close, everything that was published
//! before its own last message, that message included.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseCode, CloseFrame, Message, WebSocket, close_code};
use prometheus_client::metrics::gauge::Gauge;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite;

use super::hub::{Delivery, Hub, Membership};
use super::metrics::ChatMetrics;
use super::subscription;
use crate::server::Stopping;
use crate::store::Store;

/// A longer message is answered by close code 1009.
const LONGEST_MESSAGE_BYTES: usize = 64 * 1024;
/// Up to here a message is read before it is refused, so that the refusal arrives; beyond, it is cut off.
pub(super) const LONGEST_FRAME_BYTES: usize = 1024 * 1024;
const LONGEST_WRITE: Duration = Duration::from_secs(5);
const LONGEST_ECHO: Duration = Duration::from_secs(1);
const LONGEST_FAREWELL: Duration = Duration::from_secs(1);

/// What a member sends.
#[derive(Deserialize)]
struct Said {
    id: String,
    text: String,
}

/// Why a session ends.
enum End {
    /// The member closed, and its close was answered.
    Closed,
    /// The connection is gone.
    Gone,
    /// It is closed from here.
    Refused(CloseCode, &'static str),
}

/// A connected member.
pub(super) struct Session {
    socket: WebSocket,
    store: Store,
    metrics: ChatMetrics,
    room: String,
    member: String,
}

/// Counts a connection while it lives.
struct Connected(Gauge);

impl Connected {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Session {
    pub(super) fn new(
        socket: WebSocket,
        store: Store,
        metrics: ChatMetrics,
        room: String,
        member: String,
    ) -> Self {
        Self { socket, store, metrics, room, member }
    }

    pub(super) async fn run(mut self, hub: Arc<Hub>, stopping: Stopping) {
        let connected = Connected::new(&self.metrics.connections);
        let end = match hub.join(&self.room) {
            Some(membership) => self.talk(membership, stopping.clone()).await,
            None => End::Refused(close_code::AGAIN, "not subscribed to redis"),
        };
        if let End::Refused(code, reason) = end {
            self.close(code, reason).await;
        }
        // The server waits for the sockets that hold `stopping`.
        drop((connected, stopping));
    }

    async fn talk(&mut self, mut membership: Membership, mut stopping: Stopping) -> End {
        let joined = json!({ "joined": self.room, "members": membership.members }).to_string();
        if let Err(end) = self.write(Message::text(joined)).await {
            return end;
        }
        // Set while this member's own message is on its way back.
        let mut echo_due: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                delivery = membership.queue.recv() => {
                    let Some(Delivery { origin, text }) = delivery else {
                        return End::Refused(close_code::AGAIN, "too slow, or redis was lost");
                    };
                    if let Err(end) = self.write(Message::Text(text)).await {
                        return end;
                    }
                    self.metrics.delivered.inc();
                    if origin == membership.origin {
                        echo_due = None;
                    }
                }
                () = stopping.begun() => return End::Refused(close_code::AWAY, "the service stops"),
                () = tokio::time::sleep_until(echo_due.unwrap_or_else(Instant::now)), if echo_due.is_some() => {
                    return End::Refused(close_code::ERROR, "a message did not come back");
                }
                frame = self.socket.recv(), if echo_due.is_none() => {
                    match self.read(frame, &membership.origin).await {
                        Ok(true) => echo_due = Some(Instant::now() + LONGEST_ECHO),
                        Ok(false) => {}
                        Err(end) => return end,
                    }
                }
            }
        }
    }

    /// Whether a message was published.
    async fn read(&mut self, frame: Option<Result<Message, axum::Error>>, origin: &str) -> Result<bool, End> {
        match frame {
            None => Err(End::Gone),
            Some(Err(error)) => Err(broken(error)),
            Some(Ok(Message::Text(text))) => {
                self.say(&text, origin).await?;
                Ok(true)
            }
            Some(Ok(Message::Binary(_))) => Err(End::Refused(close_code::UNSUPPORTED, "text only")),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(false),
            Some(Ok(Message::Close(_))) => {
                // The reply is queued already: reading on sends it and waits for the end.
                let _ = tokio::time::timeout(LONGEST_FAREWELL, self.socket.recv()).await;
                Err(End::Closed)
            }
        }
    }

    async fn say(&mut self, text: &str, origin: &str) -> Result<(), End> {
        if text.len() > LONGEST_MESSAGE_BYTES {
            return Err(too_big());
        }
        let Ok(Said { id, text }) = serde_json::from_str(text) else {
            return Err(End::Refused(
                close_code::INVALID,
                "a message is {\"id\": \"...\", \"text\": \"...\"}",
            ));
        };
        let message = json!({ "id": id, "room": self.room, "from": self.member, "text": text }).to_string();
        match subscription::publish(&self.store, &self.room, origin, &message).await {
            Ok(true) => {
                self.metrics.sent.inc();
                Ok(())
            }
            Ok(false) => Err(End::Refused(close_code::ERROR, "nobody is subscribed")),
            Err(error) => {
                tracing::warn!(%error, "failed to publish a message");
                Err(End::Refused(close_code::ERROR, "redis is unavailable"))
            }
        }
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        match tokio::time::timeout(LONGEST_WRITE, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// Sends a close and waits for the reply, within a bound.
    async fn close(&mut self, code: CloseCode, reason: &'static str) {
        let farewell = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        if self.write(farewell).await.is_ok() {
            let answered = async { while let Some(Ok(_)) = self.socket.recv().await {} };
            let _ = tokio::time::timeout(LONGEST_FAREWELL, answered).await;
        }
    }
}

fn too_big() -> End {
    End::Refused(close_code::SIZE, "a message is at most 64 KiB")
}

fn broken(error: axum::Error) -> End {
    match error.into_inner().downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Capacity(_)) => too_big(),
        Some(tungstenite::Error::Utf8(_)) => End::Refused(close_code::INVALID, "text is UTF-8"),
        _ => End::Gone,
    }
}
