//! One chat member: joining its room, and the two halves of its connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use firedrill_record::ServiceName;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::load::Shared;
use crate::LoadError;
use crate::recorder::{Recorder, StepId};
use crate::template::percent_encode;
use crate::transport::chain;

/// Longest wait for a connection, its upgrade and the word that the member has joined.
const JOINING: Duration = Duration::from_secs(10);

type Connection = WebSocketStream<TcpStream>;

/// What the service says when a member has joined.
#[derive(Debug, Deserialize)]
struct Joined {
    joined: String,
}

/// What a member says.
#[derive(Debug, Serialize)]
struct Said<'a> {
    id: &'a str,
    text: &'a str,
}

/// What members hear; anything without an `id` is not a message.
#[derive(Debug, Deserialize)]
struct Heard {
    id: String,
}

/// Who joins what, and where.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) service: ServiceName,
    pub(crate) address: SocketAddr,
    pub(crate) room: String,
    pub(crate) name: String,
}

impl Seat {
    /// Connects, upgrades (which the ledger counts as one request that closes with 101), and waits until the service
    /// says that the member has joined.
    pub(crate) async fn join(self, recorder: &Recorder, step: StepId) -> Result<Connection, LoadError> {
        let deadline = Instant::now() + JOINING;
        let failed = |status, why: String| LoadError::MemberCouldNotJoin {
            service: self.service.clone(),
            room: self.room.clone(),
            member: self.name.clone(),
            status,
            why,
        };
        let late = |what: &str| failed(None, format!("{what} took longer than {JOINING:?}"));
        let url = format!(
            "ws://{}/rooms/{}/ws?member={}",
            self.address,
            percent_encode(&self.room),
            percent_encode(&self.name)
        );
        let open = recorder.open(step);
        let stream = match tokio::time::timeout_at(deadline, TcpStream::connect(self.address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                open.refused();
                return Err(failed(None, error.to_string()));
            }
            Err(_) => return Err(late("the connection")),
        };
        // Only a hint: without it messages are delivered all the same, later.
        let _ = stream.set_nodelay(true);
        let upgrade = tokio_tungstenite::client_async(url, stream);
        let mut connection = match tokio::time::timeout_at(deadline, upgrade).await {
            Ok(Ok((connection, _))) => connection,
            Ok(Err(Error::Http(answer))) => {
                let status = answer.status().as_u16();
                open.close(status);
                return Err(failed(Some(status), "the upgrade was refused".to_owned()));
            }
            Ok(Err(error)) => return Err(failed(None, chain(&error))),
            Err(_) => return Err(late("the upgrade")),
        };
        open.close(101);
        loop {
            match tokio::time::timeout_at(deadline, connection.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => match serde_json::from_str::<Joined>(&text) {
                    Ok(Joined { joined }) if joined == self.room => return Ok(connection),
                    _ => {}
                },
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(error))) => return Err(failed(None, chain(&error))),
                Ok(None) => return Err(failed(None, "the service closed the connection".to_owned())),
                Err(_) => return Err(late("joining")),
            }
        }
    }
}

/// Says a message for each wake-up in `turns`; when nobody can wake it any more, begins the closing handshake.
pub(super) async fn speak(
    mut sink: SplitSink<Connection, Message>,
    room: usize,
    mut turns: mpsc::Receiver<()>,
    shared: Arc<Shared>,
) {
    while turns.recv().await.is_some() {
        let Some(number) = shared.deliveries().send(room, Instant::now()) else { continue };
        let said = Said { id: &shared.message_id(room, number), text: "the quick brown fox" };
        let text = serde_json::to_string(&said).expect("two strings are JSON");
        if sink.send(Message::text(text)).await.is_err() {
            shared.deliveries().take_back(room, number);
            shared.look_whether_complete();
            return;
        }
    }
    // The answer to it, or its absence, is seen by the listening half.
    let _ = sink.close().await;
}

/// Hears messages until the connection ends.
pub(super) async fn listen(
    mut stream: SplitStream<Connection>,
    room: usize,
    member: usize,
    shared: Arc<Shared>,
) {
    let mut close_seen = false;
    let ended_well = loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => {
                let heard = serde_json::from_str::<Heard>(&text).ok();
                if let Some((of_room, number)) = heard.and_then(|heard| shared.number_of(&heard.id))
                    && of_room == room
                {
                    shared.deliveries().deliver(room, number, member, Instant::now());
                    shared.look_whether_complete();
                }
            }
            Some(Ok(Message::Close(_))) => close_seen = true,
            Some(Ok(_)) => {}
            Some(Err(_)) => break false,
            None => break true,
        }
    };
    if close_seen && ended_well {
        shared.closed_cleanly.fetch_add(1, Ordering::Relaxed);
    }
    shared.deliveries().leave(room, member);
    shared.look_whether_complete();
}
