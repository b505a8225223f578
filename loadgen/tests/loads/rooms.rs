//! The chat side of the test's server: rooms with a history, members who come back to where they were, and faults.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::target::Behaviour;

#[derive(Default)]
pub(crate) struct Rooms {
    by_name: Mutex<HashMap<String, Room>>,
    /// Message frames given to members.
    pub(crate) delivered: AtomicU64,
    /// Messages taken from members.
    pub(crate) taken: AtomicU64,
    /// Upgrades asked for with a place to go on from.
    pub(crate) went_on: AtomicU64,
    /// Deliveries that are left out, and made twice, counted down.
    pub(crate) leave_out: AtomicU64,
    pub(crate) send_twice: AtomicU64,
    /// Messages that are taken and dropped, counted down.
    pub(crate) swallow: AtomicU64,
    /// Messages go to the history and to nobody.
    pub(crate) silent: AtomicBool,
}

#[derive(Default)]
struct Room {
    history: Vec<String>,
    /// Messages that the history no longer has.
    forgotten: usize,
    members: BTreeMap<u64, UnboundedSender<Order>>,
    next_member: u64,
}

#[derive(Clone)]
enum Order {
    Message(String),
    /// Who comes and goes, and the welcome.
    Other(String),
    Close(u16),
    HangUp,
}

impl Rooms {
    /// Closes every connection with this code.
    pub(crate) fn close_all(&self, code: u16) {
        self.order(&Order::Close(code));
    }

    /// Ends every connection without a word.
    pub(crate) fn hang_up_on_all(&self) {
        self.order(&Order::HangUp);
    }

    /// Empties the history of every room.
    pub(crate) fn forget(&self) {
        for room in self.by_name.lock().unwrap().values_mut() {
            room.forgotten += room.history.len();
            room.history.clear();
        }
    }

    pub(crate) fn connected(&self) -> usize {
        self.by_name.lock().unwrap().values().map(|room| room.members.len()).sum()
    }

    fn order(&self, order: &Order) {
        for room in self.by_name.lock().unwrap().values_mut() {
            room.tell(order);
        }
    }

    fn enter(&self, name: &str, member: &str, after: Option<&str>) -> (u64, UnboundedReceiver<Order>) {
        let mut rooms = self.by_name.lock().unwrap();
        let room = rooms.entry(name.to_owned()).or_default();
        let last = room.forgotten + room.history.len();
        let after = after.map(|after| after.strip_suffix("-0").unwrap().parse::<usize>().unwrap());
        let mut welcome =
            json!({ "joined": name, "members": room.members.len() + 1, "last": format!("{last}-0") });
        if after.is_some_and(|after| after < room.forgotten) {
            welcome["gap"] = json!(true);
        }
        room.tell(&Order::Other(json!({ "event": "join", "member": member, "members": 0 }).to_string()));
        let (sender, orders) = unbounded_channel();
        sender.send(Order::Other(welcome.to_string())).unwrap();
        for missed in
            room.history.iter().skip(after.map_or(usize::MAX, |after| after.saturating_sub(room.forgotten)))
        {
            sender.send(Order::Message(missed.clone())).unwrap();
        }
        room.next_member += 1;
        room.members.insert(room.next_member, sender);
        (room.next_member, orders)
    }

    fn publish(&self, name: &str, member: &str, said: &Value) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        if take_one(&self.swallow) {
            return;
        }
        let mut rooms = self.by_name.lock().unwrap();
        let room = rooms.get_mut(name).unwrap();
        let seq = format!("{}-0", room.forgotten + room.history.len() + 1);
        let frame =
            json!({ "id": said["id"], "seq": seq, "room": name, "from": member, "text": said["text"] });
        room.history.push(frame.to_string());
        if !self.silent.load(Ordering::Relaxed) {
            room.tell(&Order::Message(frame.to_string()));
        }
    }
}

impl Room {
    fn tell(&mut self, order: &Order) {
        self.members.retain(|_, member| member.send(order.clone()).is_ok());
    }
}

pub(crate) async fn join_room(
    State(behaviour): State<Arc<Behaviour>>,
    Path(room): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    if behaviour.failing.load(Ordering::Relaxed) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let (member, after) = (query["member"].clone(), query.get("after").cloned());
    behaviour.rooms.went_on.fetch_add(u64::from(after.is_some()), Ordering::Relaxed);
    upgrade.on_upgrade(async move |socket| {
        let (number, orders) = behaviour.rooms.enter(&room, &member, after.as_deref());
        talk(socket, &behaviour.rooms, orders, &room, &member).await;
        if let Some(room) = behaviour.rooms.by_name.lock().unwrap().get_mut(&room) {
            room.members.remove(&number);
        }
    })
}

/// Returns when the connection is over.
async fn talk(
    socket: WebSocket,
    rooms: &Rooms,
    mut orders: UnboundedReceiver<Order>,
    room: &str,
    member: &str,
) {
    let (mut sink, mut stream) = socket.split();
    loop {
        tokio::select! {
            said = stream.next() => match said {
                Some(Ok(Message::Text(text))) => {
                    rooms.publish(room, member, &serde_json::from_str(&text).unwrap());
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            order = orders.recv() => {
                let sent = match order.unwrap() {
                    Order::Message(_) if take_one(&rooms.leave_out) => Ok(()),
                    Order::Message(told) => {
                        let times = 1 + u64::from(take_one(&rooms.send_twice));
                        rooms.delivered.fetch_add(times, Ordering::Relaxed);
                        for _ in 1..times {
                            let _ = sink.send(Message::text(told.clone())).await;
                        }
                        sink.send(Message::text(told)).await
                    }
                    Order::Other(told) => sink.send(Message::text(told)).await,
                    Order::Close(code) => {
                        let _ = sink.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await;
                        while let Some(Ok(_)) = stream.next().await {}
                        return;
                    }
                    Order::HangUp => return,
                };
                if sent.is_err() {
                    return;
                }
            }
        }
    }
}

fn take_one(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}
