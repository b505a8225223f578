//! One chat member: speaking when it is its turn, hearing the others, and coming back when its connection ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::backoff::{Backoff, LONGEST};
use super::joining::{Connection, Joined, Seat};
use super::load::Shared;
use crate::phase::Phase;
use crate::session::Surroundings;

/// How long a connection that is over may still give what was under way.
const LINGERING: Duration = Duration::from_secs(1);

/// What a member says.
#[derive(Debug, Serialize)]
struct Said<'a> {
    id: &'a str,
    text: &'a str,
}

/// What members hear: a message when it has an `id`; who joins and who leaves has none.
#[derive(Debug, Deserialize)]
struct Heard {
    id: Option<String>,
    /// Its place in the room's stream.
    seq: Option<String>,
}

/// A member in its room.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) shared: Arc<Shared>,
    pub(super) around: Arc<Surroundings>,
    pub(super) seat: Seat,
    pub(super) room: usize,
    /// Its number in the room.
    pub(super) number: usize,
    /// A wake-up is a turn to speak; when nobody can give one any more, it leaves.
    pub(super) turns: mpsc::Receiver<()>,
    pub(super) backoff: Backoff,
}

/// Why a member does not speak on a connection any more.
enum Silence {
    /// It asked the service to close the connection.
    Leaving,
    /// A message could not be written.
    Broken,
}

impl Member {
    /// Stays in the room until the load ends.
    pub(super) async fn attend(mut self, joined: Joined) {
        let mut last = joined.last;
        let mut connection = joined.connection;
        loop {
            let since = Instant::now();
            let left = self.talk(connection, &mut last).await;
            if left {
                break;
            }
            self.shared.deliveries().depart(self.room, self.number);
            if since.elapsed() >= LONGEST {
                self.backoff.reset();
            }
            let Some(again) = self.rejoin(last.as_deref()).await else { break };
            last = last.or(again.last);
            connection = again.connection;
            // Turns it could not take are not made up for.
            while self.turns.try_recv().is_ok() {}
            self.shared.deliveries().come_back(self.room, self.number, Instant::now());
        }
        self.shared.deliveries().give_up(self.room, self.number);
        self.shared.look_whether_complete();
    }

    /// Speaks and hears until the connection has ended; true when this member ended it and the service has read
    /// everything before.
    async fn talk(&mut self, connection: Connection, last: &mut Option<String>) -> bool {
        let (sink, stream) = connection.split();
        let (room, number, shared) = (self.room, self.number, &*self.shared);
        let mut hearing = std::pin::pin!(hear(stream, room, number, shared, last));
        let closed = tokio::select! {
            _ = &mut hearing => None,
            silence = speak(sink, room, number, &mut self.turns, shared) => match silence {
                Silence::Leaving => hearing.await,
                Silence::Broken => {
                    shared.deliveries().depart(room, number);
                    let _ = tokio::time::timeout(LINGERING, hearing).await;
                    None
                }
            },
        };
        let answered = closed == Some(CloseCode::Normal);
        if answered {
            shared.deliveries().leave(room, number);
        }
        answered
    }

    /// Tries to join until it works; none when the load stops.
    async fn rejoin(&mut self, after: Option<&str>) -> Option<Joined> {
        loop {
            tokio::select! {
                biased;
                () = self.around.phase.reached(Phase::Stopping) => return None,
                () = tokio::time::sleep(self.backoff.next()) => {}
            }
            let joined = tokio::select! {
                joined = self.seat.join(&self.shared, &self.around.recorder, after) => joined,
                () = self.around.phase.reached(Phase::Aborting) => return None,
            };
            match joined {
                Ok(joined) => return Some(joined),
                Err(failed) => {
                    tracing::debug!(
                        member = self.seat.name,
                        status = failed.status,
                        why = failed.why,
                        "not joined"
                    );
                }
            }
        }
    }
}

/// Says a message for each wake-up in `turns`; when nobody can wake it any more, begins the closing handshake.
async fn speak(
    mut sink: SplitSink<Connection, Message>,
    room: usize,
    member: usize,
    turns: &mut mpsc::Receiver<()>,
    shared: &Shared,
) -> Silence {
    while turns.recv().await.is_some() {
        let Some(number) = shared.deliveries().send(room, member, Instant::now()) else { continue };
        let said = Said { id: &shared.message_id(room, number), text: "the quick brown fox" };
        let text = serde_json::to_string(&said).expect("two strings are JSON");
        if sink.send(Message::text(text)).await.is_err() {
            return Silence::Broken;
        }
    }
    if !shared.deliveries().is_here(room, member) {
        return Silence::Broken;
    }
    let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    match sink.send(Message::Close(Some(close))).await {
        Ok(()) => Silence::Leaving,
        Err(_) => Silence::Broken,
    }
}

/// Hears messages until the connection ends; gives the code of the closing handshake when it was complete.
async fn hear(
    mut stream: SplitStream<Connection>,
    room: usize,
    member: usize,
    shared: &Shared,
    last: &mut Option<String>,
) -> Option<CloseCode> {
    while let Some(Ok(frame)) = stream.next().await {
        match frame {
            Message::Text(text) => {
                let Ok(heard) = serde_json::from_str::<Heard>(&text) else { continue };
                if let Some((of_room, number)) = heard.id.and_then(|id| shared.number_of(&id))
                    && of_room == room
                {
                    shared.deliveries().deliver(room, number, member, Instant::now());
                    shared.look_whether_complete();
                }
                if heard.seq.is_some() {
                    *last = heard.seq;
                }
            }
            Message::Close(frame) => {
                shared.closed_cleanly.fetch_add(1, Ordering::Relaxed);
                // What is said from now on would not be read.
                shared.deliveries().depart(room, member);
                // Reading on sends the answer, if it was the service that began.
                let rest = async { while let Some(Ok(_)) = stream.next().await {} };
                let _ = tokio::time::timeout(LINGERING, rest).await;
                return Some(frame.map_or(CloseCode::Normal, |frame| frame.code));
            }
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
    None
}
