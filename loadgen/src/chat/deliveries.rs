//! Which member has seen which message: pure book-keeping, no I/O.
//!
//! A message is expected by every member in its room when it is sent. Messages are remembered for a minute: what
//! arrives later, or twice later, is not told apart any more, and what never arrived by then is lost.

use std::collections::VecDeque;
use std::time::Duration;

use firedrill_record::LatencyHistogram;
use tokio::time::Instant;

use crate::clock::micros;

/// How long a message is remembered.
pub(crate) const REMEMBERED: Duration = Duration::from_mins(1);

/// All rooms of one chat load.
#[derive(Debug)]
pub(crate) struct Deliveries {
    rooms: Vec<Room>,
    stopped: bool,
    pub(crate) sent: u64,
    pub(crate) expected: u64,
    pub(crate) delivered: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) latency: LatencyHistogram,
}

#[derive(Debug)]
struct Room {
    present: Vec<bool>,
    /// Number of the first remembered message.
    first: u64,
    messages: VecDeque<Message>,
}

#[derive(Debug)]
struct Message {
    sent_at: Instant,
    /// Members who should still see it, one bit each.
    waiting: Vec<u64>,
    /// Its sending failed before anybody saw it.
    void: bool,
}

impl Deliveries {
    pub(crate) fn new(rooms: usize, members: usize) -> Self {
        let room = || Room { present: vec![true; members], first: 0, messages: VecDeque::new() };
        Self {
            rooms: (0..rooms).map(|_| room()).collect(),
            stopped: false,
            sent: 0,
            expected: 0,
            delivered: 0,
            lost: 0,
            duplicated: 0,
            latency: LatencyHistogram::default(),
        }
    }

    /// Notes a message that is sent right after and returns its number in its room; none once stopped.
    pub(crate) fn send(&mut self, room: usize, at: Instant) -> Option<u64> {
        if self.stopped {
            return None;
        }
        self.forget_old(room, at);
        let room = &mut self.rooms[room];
        let mut waiting = vec![0; room.present.len().div_ceil(64)];
        for member in (0..room.present.len()).filter(|member| room.present[*member]) {
            waiting[member / 64] |= 1 << (member % 64);
        }
        let message = Message { sent_at: at, waiting, void: false };
        self.sent += 1;
        self.expected += message.missing();
        room.messages.push_back(message);
        Some(room.first + room.messages.len() as u64 - 1)
    }

    /// Takes back a message whose sending failed, unless somebody saw it nevertheless.
    pub(crate) fn take_back(&mut self, room: usize, number: u64) {
        let room = &mut self.rooms[room];
        let present = room.present.iter().filter(|present| **present).count() as u64;
        if let Some(message) = room.message(number)
            && message.missing() == present
        {
            self.sent -= 1;
            self.expected -= present;
            message.waiting.fill(0);
            message.void = true;
        }
    }

    /// Notes that `member` saw message `number`.
    pub(crate) fn deliver(&mut self, room: usize, number: u64, member: usize, at: Instant) {
        let Some(message) = self.rooms[room].message(number) else { return };
        let bit = 1 << (member % 64);
        if message.waiting[member / 64] & bit != 0 {
            message.waiting[member / 64] &= !bit;
            self.latency.record(micros(at.saturating_duration_since(message.sent_at)));
            self.delivered += 1;
        } else if !message.void {
            self.duplicated += 1;
        }
    }

    /// Notes that `member` is gone: what it has not seen it never will.
    pub(crate) fn leave(&mut self, room: usize, member: usize) {
        let room = &mut self.rooms[room];
        room.present[member] = false;
        let bit = 1 << (member % 64);
        for message in &mut room.messages {
            if message.waiting[member / 64] & bit != 0 {
                message.waiting[member / 64] &= !bit;
                self.lost += 1;
            }
        }
    }

    /// From now on nothing is sent any more.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
    }

    /// Gives up on what has not been delivered.
    pub(crate) fn give_up(&mut self) {
        self.stop();
        self.lost += self.outstanding();
        self.rooms.iter_mut().for_each(|room| room.messages.clear());
    }

    /// Deliveries still expected.
    pub(crate) fn outstanding(&self) -> u64 {
        self.expected - self.delivered - self.lost
    }

    fn forget_old(&mut self, room: usize, now: Instant) {
        let room = &mut self.rooms[room];
        while let Some(old) = room.messages.front()
            && now.saturating_duration_since(old.sent_at) > REMEMBERED
        {
            self.lost += old.missing();
            room.messages.pop_front();
            room.first += 1;
        }
    }
}

impl Room {
    fn message(&mut self, number: u64) -> Option<&mut Message> {
        let place = number.checked_sub(self.first)?;
        self.messages.get_mut(usize::try_from(place).ok()?)
    }
}

impl Message {
    fn missing(&self) -> u64 {
        self.waiting.iter().map(|bits| u64::from(bits.count_ones())).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(deliveries: &Deliveries) -> [u64; 5] {
        [deliveries.sent, deliveries.expected, deliveries.delivered, deliveries.lost, deliveries.duplicated]
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_is_expected_by_every_member_and_counted_once_for_each() {
        let mut deliveries = Deliveries::new(1, 3);
        let number = deliveries.send(0, Instant::now()).unwrap();
        for member in [0, 1, 1, 2] {
            deliveries.deliver(0, number, member, Instant::now() + Duration::from_millis(3));
        }
        assert_eq!(sum(&deliveries), [1, 3, 3, 0, 1]);
        assert_eq!(deliveries.outstanding(), 0);
        assert_eq!(deliveries.latency.count(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_member_who_left_has_not_seen_is_lost_and_nothing_more_is_expected_of_it() {
        let mut deliveries = Deliveries::new(1, 2);
        deliveries.send(0, Instant::now());
        deliveries.leave(0, 1);
        deliveries.send(0, Instant::now());
        assert_eq!(sum(&deliveries), [2, 3, 0, 1, 0]);
        assert_eq!(deliveries.outstanding(), 2);
        deliveries.give_up();
        assert_eq!(sum(&deliveries), [2, 3, 0, 3, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_could_not_be_sent_is_taken_back() {
        let mut deliveries = Deliveries::new(1, 2);
        let number = deliveries.send(0, Instant::now()).unwrap();
        deliveries.take_back(0, number);
        assert_eq!(sum(&deliveries), [0, 0, 0, 0, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_minute_after_it_was_sent_a_message_is_forgotten_and_what_is_missing_is_lost() {
        let mut deliveries = Deliveries::new(1, 2);
        let start = Instant::now();
        let number = deliveries.send(0, start).unwrap();
        deliveries.deliver(0, number, 0, start);
        deliveries.send(0, start + REMEMBERED + Duration::from_millis(1));
        assert_eq!(sum(&deliveries), [2, 4, 1, 1, 0]);
        deliveries.deliver(0, number, 1, start);
        assert_eq!(sum(&deliveries), [2, 4, 1, 1, 0]);
        assert_eq!(deliveries.rooms[0].messages.len(), 1);
    }

    proptest! {
        #[test]
        fn whatever_arrives_expected_is_delivered_or_lost_or_outstanding(
            members in 1usize..130,
            happens in prop::collection::vec((0u8..10, 0u64..20, 0usize..130), 0..200),
        ) {
            let mut deliveries = Deliveries::new(1, members);
            let at = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async { Instant::now() });
            for (what, number, member) in happens {
                match what {
                    0..3 => drop(deliveries.send(0, at)),
                    3 => deliveries.leave(0, member % members),
                    _ => deliveries.deliver(0, number, member % members, at),
                }
            }
            let missing: u64 = deliveries.rooms[0].messages.iter().map(Message::missing).sum();
            prop_assert_eq!(deliveries.outstanding(), missing);
            prop_assert_eq!(deliveries.latency.count(), deliveries.delivered);
        }
    }
}
