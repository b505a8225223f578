use proptest::prelude::*;

use super::*;

/// Sent, unknown, expected, delivered, lost, duplicated.
fn sums(deliveries: &Deliveries) -> [u64; 6] {
    let totals = &deliveries.totals;
    [totals.sent, totals.unknown, totals.expected, totals.delivered, totals.lost, totals.duplicated]
}

fn one_room(members: usize) -> (Deliveries, Instant) {
    let at = Instant::now();
    (Deliveries::new(1, members, at), at)
}

#[tokio::test(start_paused = true)]
async fn a_message_is_expected_by_every_member_and_counted_once_for_each() {
    let (mut deliveries, at) = one_room(3);
    let number = deliveries.send(0, 0, at).unwrap();
    assert_eq!(sums(&deliveries), [0; 6]);
    for member in [0, 1, 1, 2] {
        deliveries.deliver(0, number, member, at + Duration::from_millis(3));
    }
    assert_eq!(sums(&deliveries), [1, 0, 3, 3, 0, 1]);
    assert_eq!(deliveries.totals.latency.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_a_member_missed_while_it_was_away_is_still_owed_to_it() {
    let (mut deliveries, at) = one_room(2);
    deliveries.depart(0, 1);
    let number = deliveries.send(0, 0, at).unwrap();
    deliveries.deliver(0, number, 0, at);
    deliveries.stop();
    assert!(!deliveries.is_complete());
    deliveries.come_back(0, 1, at);
    deliveries.deliver(0, number, 1, at);
    assert!(deliveries.is_complete());
    assert_eq!(sums(&deliveries), [1, 0, 2, 2, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_member_who_never_comes_back_loses_what_is_seen_before_and_after_that_is_known() {
    let (mut deliveries, at) = one_room(2);
    let [before, after] = [0; 2].map(|sender| deliveries.send(0, sender, at).unwrap());
    deliveries.deliver(0, before, 0, at);
    deliveries.depart(0, 1);
    deliveries.stop();
    deliveries.give_up(0, 1);
    deliveries.deliver(0, after, 0, at);
    assert!(deliveries.is_complete());
    assert_eq!(sums(&deliveries), [2, 0, 4, 2, 2, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_connection_ended_before_anybody_saw_it_is_unknown() {
    let (mut deliveries, at) = one_room(2);
    deliveries.send(0, 0, at);
    deliveries.stop();
    assert!(!deliveries.is_complete());
    deliveries.depart(0, 0);
    assert!(deliveries.is_complete());
    deliveries.come_back(0, 0, at);
    deliveries.leave(0, 0);
    deliveries.settle();
    assert_eq!(sums(&deliveries), [0, 1, 0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_a_replay_shows_was_sent_although_its_connection_ended() {
    let (mut deliveries, at) = one_room(2);
    let number = deliveries.send(0, 0, at).unwrap();
    deliveries.depart(0, 0);
    deliveries.come_back(0, 0, at);
    for member in 0..2 {
        deliveries.deliver(0, number, member, at);
    }
    deliveries.settle();
    assert_eq!(sums(&deliveries), [1, 0, 2, 2, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_nobody_saw_is_lost_when_its_sender_left_properly_and_unknown_otherwise() {
    for (leaves, sums_then) in [(true, [1, 0, 2, 0, 2, 0]), (false, [0, 1, 0, 0, 0, 0])] {
        let (mut deliveries, at) = one_room(2);
        deliveries.send(0, 0, at);
        deliveries.stop();
        if leaves {
            deliveries.depart(0, 0);
            deliveries.leave(0, 0);
        }
        deliveries.settle();
        assert_eq!(sums(&deliveries), sums_then);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_not_connected_or_has_stopped_sends_nothing() {
    let (mut deliveries, at) = one_room(1);
    deliveries.depart(0, 0);
    assert_eq!(deliveries.send(0, 0, at), None);
    deliveries.come_back(0, 0, at);
    deliveries.stop();
    assert_eq!(deliveries.send(0, 0, at), None);
    assert!(deliveries.is_complete());
}

#[tokio::test(start_paused = true)]
async fn after_a_minute_together_what_is_missing_is_lost_and_what_comes_later_a_duplicate() {
    let (mut deliveries, at) = one_room(2);
    let [heard, unheard] = [0; 2].map(|sender| deliveries.send(0, sender, at).unwrap());
    deliveries.deliver(0, heard, 0, at);
    deliveries.send(0, 0, at + REMEMBERED + Duration::from_millis(1));
    assert_eq!(sums(&deliveries), [2, 0, 4, 1, 3, 0]);
    deliveries.deliver(0, heard, 1, at);
    deliveries.deliver(0, unheard, 1, at);
    assert_eq!(sums(&deliveries), [2, 0, 4, 1, 3, 2]);
    assert_eq!(deliveries.rooms[0].messages.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_forgotten_while_somebody_is_away_and_for_a_minute_afterwards() {
    let (mut deliveries, at) = one_room(2);
    let number = deliveries.send(0, 0, at).unwrap();
    deliveries.depart(0, 1);
    let back = at + REMEMBERED * 5;
    deliveries.send(0, 0, back);
    deliveries.come_back(0, 1, back);
    deliveries.send(0, 0, back + REMEMBERED);
    deliveries.deliver(0, number, 1, back + REMEMBERED);
    assert_eq!(sums(&deliveries), [1, 0, 2, 1, 0, 0]);
    deliveries.send(0, 0, back + REMEMBERED + Duration::from_millis(1));
    assert_eq!(deliveries.rooms[0].messages.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_never_is_together_again_remembers_only_so_many() {
    let at = Instant::now();
    let mut deliveries = Deliveries::new(10, 2, at);
    deliveries.depart(3, 1);
    for _ in 0..REMEMBERED_AT_MOST {
        deliveries.send(3, 0, at);
    }
    assert_eq!(deliveries.rooms[3].messages.len(), REMEMBERED_AT_MOST / 10);
}

proptest! {
    #[test]
    fn whatever_happens_every_message_and_every_delivery_ends_in_one_place(
        members in 1usize..130,
        happens in prop::collection::vec((0u8..14, 0u64..20, 0usize..130), 0..300),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let at = runtime.block_on(async { Instant::now() });
        let mut deliveries = Deliveries::new(1, members, at);
        let mut numbers = 0;
        for (what, number, member) in happens {
            let member = member % members;
            match what {
                0..4 => numbers += u64::from(deliveries.send(0, member, at).is_some()),
                4 => deliveries.depart(0, member),
                5 => if !deliveries.is_here(0, member) { deliveries.come_back(0, member, at) },
                _ => deliveries.deliver(0, number, member, at),
            }
            prop_assert_eq!(deliveries.pending, deliveries.rooms[0].pending());
        }
        for member in (0..members).step_by(3) {
            deliveries.give_up(0, member);
        }
        prop_assert_eq!(deliveries.pending, deliveries.rooms[0].pending());
        deliveries.settle();
        let totals = &deliveries.totals;
        prop_assert_eq!(totals.sent + totals.unknown, numbers);
        prop_assert_eq!(totals.expected, totals.sent * members as u64);
        prop_assert_eq!(totals.expected, totals.delivered + totals.lost);
        prop_assert_eq!(totals.latency.count(), totals.delivered);
    }
}
