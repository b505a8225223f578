//! Who is in which room of this process, and handing each message of a room to its members.
//!
//! Knows nothing of Redis or of sockets. Members of other processes get messages through Redis, but are not
//! counted or announced here.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use serde_json::json;
use uuid::Uuid;

use super::backlog::{self, Backlog};
use super::sequence::Sequence;

/// The rooms of this process.
pub(super) struct Hub {
    process: Uuid,
    live: AtomicBool,
    next_member: AtomicU64,
    rooms: Mutex<HashMap<String, Room>>,
}

/// What one member is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Delivery {
    /// What a member said.
    Message {
        /// The membership that sent it.
        origin: Arc<str>,
        /// Its place in the room's history.
        sequence: Sequence,
        /// The frame.
        text: Utf8Bytes,
    },
    /// Somebody came or went.
    Presence(Utf8Bytes),
}

impl Delivery {
    pub(super) fn text(&self) -> &Utf8Bytes {
        match self {
            Self::Message { text, .. } | Self::Presence(text) => text,
        }
    }
}

/// A place in a room, until it is dropped. Its backlog ends when the hub let the member go.
pub(super) struct Membership {
    hub: Arc<Hub>,
    room: String,
    number: u64,
    /// Unique among all processes.
    pub(super) origin: Arc<str>,
    pub(super) backlog: Backlog,
}

#[derive(Default)]
struct Room(HashMap<u64, Seat>);

struct Seat {
    member: String,
    queue: backlog::Sender,
    /// Announced to the others, and counted.
    entered: bool,
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

    /// None while the hub is not live. Everything published from here on is in the membership's backlog; the
    /// others learn of the member only when it enters.
    pub(super) fn join(self: &Arc<Self>, room: &str, member: &str) -> Option<Membership> {
        let number = self.next_member.fetch_add(1, Ordering::Relaxed);
        let (queue, backlog) = backlog::new();
        let mut rooms = self.lock();
        if !self.is_live() {
            return None;
        }
        let seat = Seat { member: member.to_owned(), queue, entered: false };
        rooms.entry(room.to_owned()).or_default().0.insert(number, seat);
        Some(Membership {
            hub: Arc::clone(self),
            room: room.to_owned(),
            number,
            origin: format!("{}-{number}", self.process.simple()).into(),
            backlog,
        })
    }

    /// Hands a delivery to every member of a room.
    pub(super) fn deliver(&self, room: &str, delivery: Delivery) {
        if let Some(room) = self.lock().get_mut(room) {
            room.deliver(delivery);
        }
    }

    /// The rooms in order, with the number of their members.
    pub(super) fn rooms(&self) -> BTreeMap<String, usize> {
        let count = |(name, room): (&String, &Room)| (name.clone(), room.members());
        self.lock().iter().map(count).filter(|(_, members)| *members > 0).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    fn members(&self) -> usize {
        self.0.values().filter(|seat| seat.entered).count()
    }

    /// Whoever has no place left for it is let go, which the others are told, who may have no place left.
    fn deliver(&mut self, delivery: Delivery) {
        let mut due = vec![delivery];
        while let Some(delivery) = due.pop() {
            let mut too_slow = Vec::new();
            self.0.retain(|_, seat| {
                let pushed = seat.queue.push(delivery.clone()).is_ok();
                if !pushed && seat.entered {
                    too_slow.push(seat.member.clone());
                }
                pushed
            });
            let members = self.members();
            due.extend(too_slow.iter().map(|member| presence("leave", member, members)));
        }
    }
}

impl Membership {
    /// Announces the member to the others. The number of members of this process that the room has now, this one
    /// included.
    pub(super) fn enter(&self) -> usize {
        let mut rooms = self.hub.lock();
        // Without its room the member was let go already, which its backlog says.
        let Some(room) = rooms.get_mut(&self.room) else { return 1 };
        let Some(mut seat) = room.0.remove(&self.number) else { return 1 };
        let members = room.members() + 1;
        room.deliver(presence("join", &seat.member, members));
        seat.entered = true;
        room.0.insert(self.number, seat);
        members
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut rooms = self.hub.lock();
        let Some(room) = rooms.get_mut(&self.room) else { return };
        if let Some(seat) = room.0.remove(&self.number)
            && seat.entered
        {
            room.deliver(presence("leave", &seat.member, room.members()));
        }
        if room.0.is_empty() {
            rooms.remove(&self.room);
        }
    }
}

fn presence(event: &str, member: &str, members: usize) -> Delivery {
    let frame = json!({ "event": event, "member": member, "members": members });
    Delivery::Presence(frame.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::backlog::{Ended, MOST_DELIVERIES};
    use super::*;

    fn message(text: &'static str) -> Delivery {
        Delivery::Message { origin: "someone".into(), sequence: Sequence::FIRST, text: text.into() }
    }

    fn live_hub() -> Arc<Hub> {
        let hub = Arc::new(Hub::new());
        hub.go_live();
        hub
    }

    fn told(membership: &mut Membership) -> Vec<String> {
        std::iter::from_fn(|| membership.backlog.try_next())
            .map(|delivery| delivery.text().as_str().to_owned())
            .collect()
    }

    #[test]
    fn every_member_of_the_room_and_nobody_else_gets_a_message() {
        let hub = live_hub();
        let mut lobby: Vec<_> = (0..3).map(|_| hub.join("lobby", "m").expect("live")).collect();
        let mut other = hub.join("other", "m").expect("live");
        hub.deliver("lobby", message("hello"));
        for member in &mut lobby {
            assert_eq!(told(member), ["hello"]);
        }
        assert_eq!(told(&mut other), Vec::<String>::new());
    }

    #[test]
    fn the_others_are_told_who_comes_and_goes_and_how_many_there_are_then() {
        let hub = live_hub();
        let mut ada = hub.join("lobby", "ada").expect("live");
        assert_eq!(ada.enter(), 1);
        let mut bob = hub.join("lobby", "bob").expect("live");
        assert_eq!(told(&mut ada), Vec::<String>::new(), "bob has not entered");
        assert_eq!(hub.rooms(), BTreeMap::from([("lobby".to_owned(), 1)]));
        assert_eq!(bob.enter(), 2);
        assert_eq!(told(&mut ada), [r#"{"event":"join","member":"bob","members":2}"#]);
        assert_eq!(told(&mut bob), Vec::<String>::new());
        drop(bob);
        assert_eq!(told(&mut ada), [r#"{"event":"leave","member":"bob","members":1}"#]);
        drop(ada);
        assert_eq!(hub.rooms(), BTreeMap::new());
    }

    #[test]
    fn a_hub_that_went_dark_lets_everybody_go_and_nobody_in() {
        let hub = live_hub();
        let mut member = hub.join("lobby", "ada").expect("live");
        member.enter();
        hub.go_dark();
        assert_eq!(member.backlog.try_next(), None);
        assert_eq!(member.backlog.ended(), Some(Ended::Dark));
        assert!(hub.join("lobby", "ada").is_none());
    }

    #[test]
    fn a_member_that_reads_too_slowly_is_let_go_and_the_others_are_told() {
        let hub = live_hub();
        let mut slow = hub.join("lobby", "slow").expect("live");
        let mut quick = hub.join("lobby", "quick").expect("live");
        slow.enter();
        quick.enter();
        for _ in 0..MOST_DELIVERIES {
            hub.deliver("lobby", message("x"));
            while quick.backlog.try_next().is_some() {}
        }
        // One more than has a place beside the word that the other joined.
        assert_eq!(slow.backlog.ended(), Some(Ended::TooSlow));
        hub.deliver("lobby", message("y"));
        assert_eq!(told(&mut quick), ["y"]);
        assert_eq!(hub.rooms(), BTreeMap::from([("lobby".to_owned(), 1)]));
        let mut third = hub.join("lobby", "third").expect("live");
        assert_eq!(third.enter(), 2);
        drop(slow);
        assert_eq!(told(&mut third), Vec::<String>::new(), "it was gone already");
    }
}
