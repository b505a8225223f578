//! Who is in which room of this process, and handing each message of a room to its members.
//!
//! Knows nothing of Redis or of sockets.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::mpsc;
use uuid::Uuid;

/// A member that falls this many messages behind is let go: losing some in silence would be worse.
const QUEUE_LENGTH: usize = 4096;

type Rooms = HashMap<String, HashMap<u64, mpsc::Sender<Delivery>>>;

/// The rooms of this process.
pub(super) struct Hub {
    process: Uuid,
    live: AtomicBool,
    next_member: AtomicU64,
    rooms: Mutex<Rooms>,
}

/// A message on its way to one member.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    /// The membership that sent it.
    pub(super) origin: Arc<str>,
    pub(super) text: Utf8Bytes,
}

/// A place in a room, until it is dropped. Its queue ends when the hub let the member go.
pub(super) struct Membership {
    hub: Arc<Hub>,
    room: String,
    number: u64,
    /// Unique among all processes.
    pub(super) origin: Arc<str>,
    /// How many members of this process the room had, this one included, when it joined.
    pub(super) members: usize,
    pub(super) queue: mpsc::Receiver<Delivery>,
}

impl Hub {
    pub(super) fn new() -> Self {
        Self {
            process: Uuid::new_v4(),
            live: AtomicBool::new(false),
            next_member: AtomicU64::new(0),
            rooms: Mutex::default(),
        }
    }

    /// Whether what is published reaches this hub now.
    pub(super) fn is_live(&self) -> bool {
        self.live.load(Ordering::Acquire)
    }

    pub(super) fn go_live(&self) {
        self.live.store(true, Ordering::Release);
    }

    /// The members may have missed something from here on: all are let go.
    pub(super) fn go_dark(&self) {
        let mut rooms = self.lock();
        self.live.store(false, Ordering::Release);
        rooms.clear();
    }

    /// None while the hub is not live. A member receives everything published after it has joined.
    pub(super) fn join(self: &Arc<Self>, room: &str) -> Option<Membership> {
        let number = self.next_member.fetch_add(1, Ordering::Relaxed);
        let (sender, queue) = mpsc::channel(QUEUE_LENGTH);
        let mut rooms = self.lock();
        if !self.is_live() {
            return None;
        }
        let members = rooms.entry(room.to_owned()).or_default();
        members.insert(number, sender);
        Some(Membership {
            hub: Arc::clone(self),
            room: room.to_owned(),
            number,
            origin: format!("{}-{number}", self.process.simple()).into(),
            members: members.len(),
            queue,
        })
    }

    /// Hands a message to every member of a room.
    pub(super) fn deliver(&self, room: &str, delivery: &Delivery) {
        let mut rooms = self.lock();
        if let Some(members) = rooms.get_mut(room) {
            members.retain(|_, queue| queue.try_send(delivery.clone()).is_ok());
        }
    }

    /// The rooms in order, with the number of their members.
    pub(super) fn rooms(&self) -> BTreeMap<String, usize> {
        let count = |(room, members): (&String, &HashMap<_, _>)| (room.clone(), members.len());
        self.lock().iter().map(count).filter(|(_, members)| *members > 0).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut rooms = self.hub.lock();
        if let Some(members) = rooms.get_mut(&self.room) {
            members.remove(&self.number);
            if members.is_empty() {
                rooms.remove(&self.room);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(text: &'static str) -> Delivery {
        Delivery { origin: "someone".into(), text: text.into() }
    }

    fn live_hub() -> Arc<Hub> {
        let hub = Arc::new(Hub::new());
        hub.go_live();
        hub
    }

    #[test]
    fn every_member_of_the_room_and_nobody_else_gets_a_message() {
        let hub = live_hub();
        let mut lobby: Vec<_> = (0..3).map(|_| hub.join("lobby").expect("live")).collect();
        let mut other = hub.join("other").expect("live");
        assert_eq!(lobby[2].members, 3);
        hub.deliver("lobby", &delivery("hello"));
        for member in &mut lobby {
            assert_eq!(member.queue.try_recv().expect("one").text.as_str(), "hello");
            assert!(member.queue.try_recv().is_err());
        }
        assert!(other.queue.try_recv().is_err());
    }

    #[test]
    fn a_room_without_members_is_no_more() {
        let hub = live_hub();
        let member = hub.join("lobby").expect("live");
        assert_eq!(hub.rooms(), BTreeMap::from([("lobby".to_owned(), 1)]));
        drop(member);
        assert_eq!(hub.rooms(), BTreeMap::new());
    }

    #[test]
    fn a_hub_that_went_dark_lets_everybody_go_and_nobody_in() {
        let hub = live_hub();
        let mut member = hub.join("lobby").expect("live");
        hub.go_dark();
        assert_eq!(member.queue.try_recv().expect_err("ended"), mpsc::error::TryRecvError::Disconnected);
        assert!(hub.join("lobby").is_none());
    }

    #[test]
    fn a_member_that_reads_too_slowly_is_let_go_after_what_it_was_given() {
        let hub = live_hub();
        let mut slow = hub.join("lobby").expect("live");
        for _ in 0..=QUEUE_LENGTH {
            hub.deliver("lobby", &delivery("x"));
        }
        let mut received = 0;
        let ended = loop {
            match slow.queue.try_recv() {
                Ok(_) => received += 1,
                Err(error) => break error,
            }
        };
        assert_eq!((received, ended), (QUEUE_LENGTH, mpsc::error::TryRecvError::Disconnected));
    }
}
