//! Joining a room: connecting, upgrading, and hearing that one is in.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::load::Shared;
use crate::recorder::Recorder;
use crate::template::percent_encode;
use crate::transport::chain;

/// Longest wait for a connection, its upgrade and the word that the member has joined.
const JOINING: Duration = Duration::from_secs(10);
/// Bytes read at a time; messages are short, and each connection keeps a buffer of this size.
const READ_BUFFER: usize = 4096;

pub(super) type Connection = WebSocketStream<TcpStream>;

/// What the service says when a member has joined.
#[derive(Debug, Deserialize)]
struct Welcome {
    joined: String,
    /// Where the room's history ends.
    last: Option<String>,
    /// The history no longer reaches back to where this member was.
    #[serde(default)]
    gap: bool,
}

/// A member that has joined.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) connection: Connection,
    /// Where the room's history ended.
    pub(super) last: Option<String>,
}

/// Why a member did not join.
#[derive(Debug)]
pub(super) struct NotJoined {
    /// The status with which the upgrade was refused, if it was answered.
    pub(super) status: Option<u16>,
    pub(super) why: String,
}

/// Who joins what.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) room: String,
    pub(super) name: String,
}

impl Seat {
    /// Connects, upgrades (which the ledger counts as one request that closes with 101), and waits until the service
    /// says that the member has joined. `after` asks for all messages that followed that one.
    pub(super) async fn join(
        &self,
        shared: &Shared,
        recorder: &Recorder,
        after: Option<&str>,
    ) -> Result<Joined, NotJoined> {
        let deadline = Instant::now() + JOINING;
        let failed = |why: String| NotJoined { status: None, why };
        let late = |what: &str| failed(format!("{what} took longer than {JOINING:?}"));
        let open = recorder.open(shared.plan.step);
        let stream = match tokio::time::timeout_at(deadline, TcpStream::connect(shared.plan.address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                open.refused();
                return Err(failed(error.to_string()));
            }
            Err(_) => return Err(late("the connection")),
        };
        // Only a hint: without it messages are delivered all the same, later.
        let _ = stream.set_nodelay(true);
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
        let url = self.url(shared, after);
        let upgrade = tokio_tungstenite::client_async_with_config(url, stream, Some(config));
        let mut connection = match tokio::time::timeout_at(deadline, upgrade).await {
            Ok(Ok((connection, _))) => connection,
            Ok(Err(Error::Http(answer))) => {
                let status = answer.status().as_u16();
                open.close(status);
                return Err(NotJoined { status: Some(status), why: "the upgrade was refused".to_owned() });
            }
            Ok(Err(error)) => return Err(failed(chain(&error))),
            Err(_) => return Err(late("the upgrade")),
        };
        open.close(101);
        shared.connections.fetch_add(1, Ordering::Relaxed);
        loop {
            match tokio::time::timeout_at(deadline, connection.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => match serde_json::from_str::<Welcome>(&text) {
                    Ok(welcome) if welcome.joined == self.room => {
                        if welcome.gap {
                            tracing::warn!(
                                member = self.name,
                                "the room's history does not reach back far enough"
                            );
                        }
                        return Ok(Joined { connection, last: welcome.last });
                    }
                    _ => {}
                },
                Ok(Some(Ok(Message::Close(_)))) => {
                    shared.closed_cleanly.fetch_add(1, Ordering::Relaxed);
                    return Err(failed("the service closed the connection".to_owned()));
                }
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(error))) => return Err(failed(chain(&error))),
                Ok(None) => return Err(failed("the connection ended".to_owned())),
                Err(_) => return Err(late("joining")),
            }
        }
    }

    fn url(&self, shared: &Shared, after: Option<&str>) -> String {
        let mut url = format!(
            "ws://{}/rooms/{}/ws?member={}",
            shared.plan.address,
            percent_encode(&self.room),
            percent_encode(&self.name)
        );
        if let Some(after) = after {
            url.push_str("&after=");
            url.push_str(&percent_encode(after));
        }
        url
    }
}
