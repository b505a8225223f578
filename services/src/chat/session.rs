//! One member's WebSocket, from its upgrade to its closing handshake.
//!
//! First the member is told that it has joined, then what it missed, then what is said. A member's next frame is
//! read only when its last message has come back through Redis and everything queued was written: so whoever
//! closes has, with the reply to its close, everything that was published before its own last message, that
//! message included.

use std::time::Duration;

use axum::extract::ws::{CloseCode, CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use bytes::Bytes;
use prometheus_client::metrics::gauge::Gauge;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite;

use super::backlog::Ended;
use super::heartbeat::{Beat, Heartbeat};
use super::history::{History, Page};
use super::hub::{Delivery, Membership};
use super::metrics::{ABNORMAL, ChatMetrics};
use super::sequence::Sequence;
use crate::server::Stopping;

/// A longer message is answered by close code 1009.
const LONGEST_MESSAGE_BYTES: usize = 64 * 1024;
/// Up to here a message is read before it is refused, so that the refusal arrives; beyond, it is cut off.
pub(super) const LONGEST_FRAME_BYTES: usize = 1024 * 1024;
/// Most messages are short; the library's own choice would take 64 MiB for 500 idle members.
pub(super) const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Messages are read from the history in pages of this length.
pub(super) const PAGE: usize = 64;
const LONGEST_WRITE: Duration = Duration::from_secs(5);
/// A lost Redis is noticed sooner; this is for one that keeps a message to itself.
const LONGEST_ECHO: Duration = Duration::from_secs(5);
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
    /// The member no longer reads at all: not even a close would reach it.
    Stuck,
    /// The member reads, but too slowly.
    TooSlow,
    /// It is closed from here.
    Refused(CloseCode, &'static str),
}

/// Where a member comes in.
pub(super) enum Entrance {
    /// It hears what is said from here on; the place of the newest message.
    Now(Sequence),
    /// It was here before and gets what it missed, of which this is the first page.
    Again(Page),
}

/// A connected member.
pub(super) struct Session {
    socket: WebSocket,
    history: History,
    metrics: ChatMetrics,
    heartbeat: Heartbeat,
    room: String,
    member: String,
    /// The newest message that the member has, or need not have.
    reached: Sequence,
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
        history: History,
        metrics: ChatMetrics,
        heartbeat: Heartbeat,
        room: String,
        member: String,
    ) -> Self {
        Self { socket, history, metrics, heartbeat, room, member, reached: Sequence::FIRST }
    }

    pub(super) async fn run(mut self, membership: Membership, entrance: Entrance, stopping: Stopping) {
        let connected = Connected::new(&self.metrics.connections);
        let Err(end) = self.attend(membership, entrance, stopping.clone()).await;
        if matches!(end, End::TooSlow | End::Stuck) {
            self.metrics.slow_consumers_dropped.inc();
        }
        let code = match end {
            End::Closed => close_code::NORMAL,
            End::Gone | End::Stuck => ABNORMAL,
            End::TooSlow => self.close(close_code::POLICY, "too slow a reader").await,
            End::Refused(code, reason) => self.close(code, reason).await,
        };
        self.metrics.closed(code);
        // The server waits for the sockets that hold `stopping`.
        drop((connected, stopping));
    }

    async fn attend(
        &mut self,
        membership: Membership,
        entrance: Entrance,
        stopping: Stopping,
    ) -> Result<std::convert::Infallible, End> {
        let members = membership.enter();
        let mut joined = json!({ "joined": self.room, "members": members });
        let missed = match entrance {
            Entrance::Now(last) => {
                joined["last"] = last.to_string().into();
                self.reached = last;
                None
            }
            Entrance::Again(page) => {
                joined["last"] = page.last.to_string().into();
                if !page.reaches {
                    joined["gap"] = true.into();
                }
                Some(page)
            }
        };
        self.write(Message::text(joined.to_string())).await?;
        if let Some(page) = missed {
            self.replay(page).await?;
        }
        self.talk(membership, stopping).await
    }

    /// What the member missed; meanwhile what is said is queued.
    async fn replay(&mut self, mut page: Page) -> Result<(), End> {
        loop {
            let (last, full) = (page.last, page.messages.len() == PAGE);
            for (sequence, text) in page.messages {
                self.tell(sequence, text).await?;
            }
            if !full || self.reached >= last {
                // Also when the member asked for what comes after a message that is no longer known.
                self.reached = last;
                return Ok(());
            }
            page = self.history.after(&self.room, self.reached, PAGE).await.map_err(|error| {
                tracing::warn!(%error, "failed to read a history");
                End::Refused(close_code::AGAIN, "redis is unavailable")
            })?;
            if !page.reaches {
                // The room is quicker than the member reads: what comes next was cut off.
                return Err(End::TooSlow);
            }
        }
    }

    async fn talk(
        &mut self,
        mut membership: Membership,
        mut stopping: Stopping,
    ) -> Result<std::convert::Infallible, End> {
        // Set while this member's own message is on its way back.
        let mut echo_due: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                delivery = membership.backlog.next() => match delivery {
                    Ok(Delivery::Message { origin, sequence, text }) => {
                        // What was queued during the replay may have been part of it.
                        if sequence > self.reached {
                            self.tell(sequence, text).await?;
                        }
                        if origin == membership.origin {
                            echo_due = None;
                        }
                    }
                    Ok(Delivery::Presence(text)) => self.write(Message::Text(text)).await?,
                    Err(Ended::TooSlow) => return Err(End::TooSlow),
                    Err(Ended::Dark) => return Err(End::Refused(close_code::AGAIN, "redis was lost")),
                },
                () = stopping.begun() => return Err(End::Refused(close_code::AWAY, "the service stops")),
                () = tokio::time::sleep_until(echo_due.unwrap_or_else(Instant::now)), if echo_due.is_some() => {
                    return Err(End::Refused(close_code::AGAIN, "a message did not come back"));
                }
                frame = self.socket.recv(), if echo_due.is_none() => {
                    self.heartbeat.heard();
                    if self.read(frame, &membership.origin).await? {
                        echo_due = Some(Instant::now() + LONGEST_ECHO);
                    }
                }
                beat = self.heartbeat.beat() => match beat {
                    Beat::Ping => self.write(Message::Ping(Bytes::new())).await?,
                    Beat::GiveUp => return Err(End::Refused(close_code::ERROR, "no answer to a ping")),
                },
            }
        }
    }

    async fn tell(&mut self, sequence: Sequence, text: Utf8Bytes) -> Result<(), End> {
        self.write(Message::Text(text)).await?;
        self.metrics.delivered.inc();
        self.reached = sequence;
        Ok(())
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
        match self.history.publish(&self.room, origin, &message).await {
            Ok(()) => {
                self.metrics.sent.inc();
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, "failed to publish a message");
                Err(End::Refused(close_code::AGAIN, "redis is unavailable"))
            }
        }
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        match tokio::time::timeout(LONGEST_WRITE, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Stuck),
        }
    }

    /// Sends a close and waits for the reply, within a bound; what the connection is counted under.
    async fn close(&mut self, code: CloseCode, reason: &'static str) -> CloseCode {
        let farewell = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        if self.write(farewell).await.is_err() {
            return ABNORMAL;
        }
        let answered = async { while let Some(Ok(_)) = self.socket.recv().await {} };
        let _ = tokio::time::timeout(LONGEST_FAREWELL, answered).await;
        code
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::extract::WebSocketUpgrade;
    use axum::routing::get;
    use futures_util::StreamExt;
    use tokio_tungstenite::tungstenite::protocol::CloseFrame as Farewell;

    use super::*;
    use crate::chat::hub::Hub;
    use crate::secret::Secret;
    use crate::server::Stop;
    use crate::store::Store;

    #[tokio::test]
    async fn a_member_that_is_silent_is_closed_with_1011_and_one_that_answers_stays() {
        const INTERVAL: Duration = Duration::from_millis(200);
        let store = Store::new(&Secret::new("redis://127.0.0.1:1/")).expect("valid; nothing is asked of it");
        let hub = Arc::new(Hub::new());
        hub.go_live();
        let (_stop, stopping) = Stop::new();
        let metrics = ChatMetrics::new();
        let connections = metrics.connections.clone();
        let upgrade = move |upgrade: WebSocketUpgrade| async move {
            let membership = hub.join("lobby", "ada").expect("live");
            upgrade.on_upgrade(move |socket| {
                let history = History::new(store);
                Session::new(socket, history, metrics, Heartbeat::new(INTERVAL), "lobby".into(), "ada".into())
                    .run(membership, Entrance::Now(Sequence::FIRST), stopping)
            })
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("ws://{}/", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(upgrade))).await });

        let (mut member, _) = tokio_tungstenite::connect_async(url).await.expect("upgraded");
        // Reading answers pings.
        let attentive = async {
            for _ in 0..5 {
                while !matches!(member.next().await, Some(Ok(tungstenite::Message::Ping(_)))) {}
            }
        };
        tokio::time::timeout(Duration::from_secs(10), attentive).await.expect("five pings");
        // Nothing is read until the service has let it go.
        let let_go = async {
            while connections.get() > 0 {
                tokio::time::sleep(INTERVAL / 10).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), let_go).await.expect("it is let go");
        let ended = async {
            loop {
                if let Some(Ok(tungstenite::Message::Close(frame))) = member.next().await {
                    return frame.map(|Farewell { code, .. }| u16::from(code));
                }
            }
        };
        let code = tokio::time::timeout(Duration::from_secs(10), ended).await.expect("it ends");
        assert_eq!(code, Some(1011));
    }
}
