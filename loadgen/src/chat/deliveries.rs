//! Which member has seen which message: pure book-keeping, no I/O.
//!
//! Every member of a room is owed every message that the room's stream has, whether it is connected when the message
//! is sent or comes back later. A message is *sent* once somebody has seen it. One that nobody has seen is
//! *pending* while its sender's connection lives; when that ended, only a replay can still tell that it was taken.
//!
//! Messages are remembered for a minute after the whole room was together, and at most [`REMEMBERED_AT_MOST`] of them:
//! what is missing then is lost, and whatever arrives later is a duplicate.

use std::collections::VecDeque;
use std::time::Duration;

use firedrill_record::LatencyHistogram;
use tokio::time::Instant;

use crate::clock::micros;

/// How long a message is remembered, counted from when nobody of its room was away any more.
const REMEMBERED: Duration = Duration::from_mins(1);
/// Most messages remembered over all rooms, so that a room that never is together again does not fill the memory.
const REMEMBERED_AT_MOST: usize = 100_000;

/// All rooms of one chat load.
#[derive(Debug)]
pub(super) struct Deliveries {
    rooms: Vec<Room>,
    remembered_a_room: usize,
    /// Messages nobody has seen whose sender's connection lives.
    pending: u64,
    phase: Phase,
    pub(super) totals: DeliveryTotals,
}

/// The sums of [`Deliveries`], in the words of [`firedrill_record::ChatTotals`].
#[derive(Debug, Default)]
pub(super) struct DeliveryTotals {
    pub(super) sent: u64,
    pub(super) unknown: u64,
    pub(super) expected: u64,
    pub(super) delivered: u64,
    pub(super) lost: u64,
    pub(super) duplicated: u64,
    pub(super) latency: LatencyHistogram,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Talking,
    /// Nothing is sent any more; deliveries still count.
    Stopped,
    /// The sums are final.
    Settled,
}

#[derive(Debug)]
struct Room {
    members: Vec<Member>,
    /// Since when no member is away.
    together_since: Instant,
    /// Number of the first remembered message.
    first: u64,
    messages: VecDeque<Message>,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    /// Counts its connections.
    connection: u32,
    presence: Presence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Here,
    /// Its connection ended; it may come back.
    Away,
    /// It left after the service had read all it said.
    Left,
    /// It does not come back.
    Gone,
}

#[derive(Debug)]
struct Message {
    sent_at: Instant,
    sender: usize,
    /// The sender's connection that it was sent on.
    connection: u32,
    /// Somebody has seen it: the room's stream has it.
    confirmed: bool,
    /// Members of whom no delivery is missing any more, one bit each.
    done: Box<[u64]>,
}

impl Deliveries {
    /// Rooms with every member present.
    pub(super) fn new(rooms: usize, members: usize, at: Instant) -> Self {
        let room = || Room {
            members: vec![Member { connection: 0, presence: Presence::Here }; members],
            together_since: at,
            first: 0,
            messages: VecDeque::new(),
        };
        Self {
            rooms: (0..rooms).map(|_| room()).collect(),
            remembered_a_room: (REMEMBERED_AT_MOST / rooms.max(1)).max(1),
            pending: 0,
            phase: Phase::Talking,
            totals: DeliveryTotals::default(),
        }
    }

    /// Notes a message that `sender` sends right after and returns its number in its room; none when the sender is not
    /// connected, or nothing is to be sent any more.
    pub(super) fn send(&mut self, room: usize, sender: usize, at: Instant) -> Option<u64> {
        if self.phase != Phase::Talking || !self.is_here(room, sender) {
            return None;
        }
        self.forget_old(room, at);
        let room = &mut self.rooms[room];
        room.messages.push_back(Message {
            sent_at: at,
            sender,
            connection: room.members[sender].connection,
            confirmed: false,
            done: vec![0; room.members.len().div_ceil(64)].into(),
        });
        self.pending += 1;
        Some(room.first + room.messages.len() as u64 - 1)
    }

    /// Notes that `member` saw message `number`.
    pub(super) fn deliver(&mut self, room: usize, number: u64, member: usize, at: Instant) {
        if self.phase == Phase::Settled {
            return;
        }
        let Room { members, first, messages, .. } = &mut self.rooms[room];
        let Some(place) = number.checked_sub(*first) else {
            self.totals.duplicated += 1;
            return;
        };
        let Some(message) = usize::try_from(place).ok().and_then(|place| messages.get_mut(place)) else {
            return;
        };
        if !message.confirmed {
            self.pending -= u64::from(message.is_pending(members));
            message.confirmed = true;
            self.totals.confirm(members.len());
            for gone in (0..members.len()).filter(|member| members[*member].presence == Presence::Gone) {
                message.tick_off(gone);
                self.totals.lost += 1;
            }
        }
        if message.tick_off(member) {
            self.totals.latency.record(micros(at.saturating_duration_since(message.sent_at)));
            self.totals.delivered += 1;
        } else {
            self.totals.duplicated += 1;
        }
    }

    /// Whether `member` is connected.
    pub(super) fn is_here(&self, room: usize, member: usize) -> bool {
        self.rooms[room].members[member].presence == Presence::Here
    }

    /// Notes that `member`'s connection ended, or that nothing gets through any more.
    pub(super) fn depart(&mut self, room: usize, member: usize) {
        if self.is_here(room, member) {
            self.enter(room, member, Presence::Away);
        }
    }

    /// Notes that `member` closed its connection and that the service answered: it has read all that was said on it.
    pub(super) fn leave(&mut self, room: usize, member: usize) {
        self.enter(room, member, Presence::Left);
    }

    /// Notes that `member` has a connection again.
    pub(super) fn come_back(&mut self, room: usize, member: usize, at: Instant) {
        let room = &mut self.rooms[room];
        let back = &mut room.members[member];
        *back = Member { connection: back.connection + 1, presence: Presence::Here };
        if !room.anybody_away() {
            room.together_since = at;
        }
    }

    /// Notes that `member` will not come back: what it has not seen it never will.
    pub(super) fn give_up(&mut self, room: usize, member: usize) {
        if self.rooms[room].members[member].presence == Presence::Left {
            return;
        }
        self.enter(room, member, Presence::Gone);
        for message in self.rooms[room].messages.iter_mut().filter(|message| message.confirmed) {
            self.totals.lost += u64::from(message.tick_off(member));
        }
    }

    /// From now on nothing is sent any more.
    pub(super) fn stop(&mut self) {
        if self.phase == Phase::Talking {
            self.phase = Phase::Stopped;
        }
    }

    /// Whether nothing is sent any more and nothing more need arrive.
    pub(super) fn is_complete(&self) -> bool {
        self.phase != Phase::Talking && self.owed() == 0 && self.pending == 0
    }

    /// Makes the sums final: what has not been delivered is lost, and what nobody saw is unknown unless its sender
    /// has left properly.
    pub(super) fn settle(&mut self) {
        for room in &mut self.rooms {
            for member in room.members.iter_mut().filter(|member| member.presence == Presence::Here) {
                member.presence = Presence::Gone;
            }
            for message in room.messages.drain(..) {
                self.totals.close(&message, &room.members);
            }
        }
        self.pending = 0;
        self.phase = Phase::Settled;
    }

    /// Deliveries of messages that somebody has seen, to members who may still see them.
    fn owed(&self) -> u64 {
        self.totals.expected - self.totals.delivered - self.totals.lost
    }

    fn enter(&mut self, room: usize, member: usize, presence: Presence) {
        let room = &mut self.rooms[room];
        self.pending -= room.pending();
        room.members[member].presence = presence;
        self.pending += room.pending();
    }

    fn forget_old(&mut self, room: usize, now: Instant) {
        let room = &mut self.rooms[room];
        let together = !room.anybody_away();
        while let Some(old) = room.messages.front()
            && (room.messages.len() >= self.remembered_a_room
                || together
                    && now.saturating_duration_since(old.sent_at.max(room.together_since)) > REMEMBERED)
        {
            self.pending -= u64::from(old.is_pending(&room.members));
            self.totals.close(old, &room.members);
            room.messages.pop_front();
            room.first += 1;
        }
    }
}

impl DeliveryTotals {
    /// A message turns out to be in the stream of a room of so many members.
    fn confirm(&mut self, members: usize) {
        self.sent += 1;
        self.expected += members as u64;
    }

    /// Nothing more is expected of `message`. What nobody saw is lost if the service must have read it, or has had
    /// its time: it is unknown only where the connection ended first.
    fn close(&mut self, message: &Message, members: &[Member]) {
        if !message.confirmed {
            if !message.is_pending(members) {
                self.unknown += 1;
                return;
            }
            self.confirm(members.len());
        }
        let done: u64 = message.done.iter().map(|bits| u64::from(bits.count_ones())).sum();
        self.lost += members.len() as u64 - done;
    }
}

impl Room {
    fn pending(&self) -> u64 {
        self.messages.iter().filter(|message| message.is_pending(&self.members)).count() as u64
    }

    fn anybody_away(&self) -> bool {
        self.members.iter().any(|member| member.presence == Presence::Away)
    }
}

impl Message {
    /// Whether nobody has seen it and the connection it was sent on did not end before the service could read it.
    fn is_pending(&self, members: &[Member]) -> bool {
        let sender = &members[self.sender];
        !self.confirmed
            && sender.connection == self.connection
            && matches!(sender.presence, Presence::Here | Presence::Left)
    }

    /// False when nothing of `member` was missing.
    fn tick_off(&mut self, member: usize) -> bool {
        let (bits, bit) = (&mut self.done[member / 64], 1 << (member % 64));
        let missing = *bits & bit == 0;
        *bits |= bit;
        missing
    }
}

#[cfg(test)]
#[path = "deliveries_tests.rs"]
mod tests;
