//! Chat members whose connections end while the load runs.

use std::sync::atomic::Ordering;
use std::time::Duration;

use firedrill_drill::Load;
use firedrill_loadgen::RunningLoad;
use firedrill_record::{ChatTotals, Ledger};
use tokio::time::Instant;

use super::target::{Target, direct, row, until};

const GRACE: Duration = Duration::from_secs(5);

async fn start(target: &Target, rooms: u32, members: u32, messages: &str) -> RunningLoad {
    let loads = vec![Load::Chat { rooms, members, messages: messages.parse().unwrap() }];
    let load = RunningLoad::start(target.plan(loads)).await.unwrap();
    until("some was said", &load, |ledger| ledger.chats[0].sent > 10).await;
    load
}

/// Waits until so many connections were made again and messages are heard after that.
async fn until_back(load: &RunningLoad, reconnected: u64) {
    until("all are back", load, |ledger| ledger.chats[0].reconnected >= reconnected).await;
    let delivered = load.snapshot().chats[0].delivered;
    until("they talk again", load, |ledger| ledger.chats[0].delivered > delivered + 100).await;
}

async fn drain(target: &Target, load: RunningLoad) -> (Ledger, ChatTotals) {
    assert_eq!(load.failure(), None);
    let ledger = load.drain(GRACE).await;
    assert_eq!(direct(&ledger), target.counts());
    let totals = ledger.chats[0].clone();
    let (sent, taken) = (totals.sent, target.behaviour.rooms.taken.load(Ordering::Relaxed));
    assert!((sent..=sent + totals.unknown).contains(&taken), "{taken} were taken: {totals:?}");
    (ledger, totals)
}

#[tokio::test]
async fn members_whose_connections_the_service_closed_come_back_and_miss_nothing() {
    let target = Target::start().await;
    let load = start(&target, 3, 4, "200/s").await;
    for round in 1..=3 {
        target.behaviour.rooms.close_all(1013);
        until_back(&load, round * 12).await;
    }
    let (_, totals) = drain(&target, load).await;
    assert_eq!((totals.connections, totals.reconnected, totals.closed_cleanly), (48, 36, 48));
    assert_eq!(target.behaviour.rooms.went_on.load(Ordering::Relaxed), 36);
    assert_eq!((totals.expected_deliveries, totals.lost, totals.duplicated), (totals.sent * 4, 0, 0));
    assert_eq!(totals.delivered, totals.expected_deliveries);
    // What was written before a closing frame is read before it.
    assert_eq!(totals.delivered, target.behaviour.rooms.delivered.load(Ordering::Relaxed));
}

#[tokio::test]
async fn members_whose_connections_broke_come_back_and_those_were_not_closed_cleanly() {
    let target = Target::start().await;
    let load = start(&target, 2, 3, "200/s").await;
    target.behaviour.rooms.hang_up_on_all();
    until_back(&load, 6).await;
    let (_, totals) = drain(&target, load).await;
    assert_eq!((totals.connections, totals.reconnected, totals.closed_cleanly), (12, 6, 6));
    assert_eq!((totals.delivered, totals.lost, totals.duplicated), (totals.sent * 3, 0, 0));
}

#[tokio::test]
async fn members_try_again_while_upgrades_are_refused_and_each_try_is_a_request_with_its_status() {
    let target = Target::start().await;
    let load = start(&target, 2, 2, "100/s").await;
    target.behaviour.failing.store(true, Ordering::Relaxed);
    target.behaviour.rooms.close_all(1013);
    let refused = |ledger: &Ledger| row(ledger, "/rooms/{room}/ws").closed.get(&503).copied().unwrap_or(0);
    until("all were refused more than once", &load, |ledger| refused(ledger) > 12).await;
    assert_eq!(load.snapshot().chats[0].reconnected, 0);
    target.behaviour.failing.store(false, Ordering::Relaxed);
    until_back(&load, 4).await;
    let (ledger, totals) = drain(&target, load).await;
    assert_eq!(row(&ledger, "/rooms/{room}/ws").closed[&101], totals.connections);
    assert_eq!((totals.connections, totals.closed_cleanly), (8, 8));
    assert_eq!((totals.delivered, totals.lost, totals.duplicated), (totals.sent * 2, 0, 0));
}

#[tokio::test]
async fn a_message_that_only_a_replay_shows_was_sent() {
    let target = Target::start().await;
    let load = start(&target, 1, 3, "200/s").await;
    target.behaviour.rooms.silent.store(true, Ordering::Relaxed);
    let before = target.behaviour.rooms.taken.load(Ordering::Relaxed);
    until("some were taken", &load, |_| target.behaviour.rooms.taken.load(Ordering::Relaxed) > before + 10)
        .await;
    target.behaviour.rooms.silent.store(false, Ordering::Relaxed);
    target.behaviour.rooms.hang_up_on_all();
    until_back(&load, 3).await;
    let (_, totals) = drain(&target, load).await;
    assert!(totals.sent >= before + 10);
    assert_eq!((totals.delivered, totals.lost, totals.duplicated), (totals.sent * 3, 0, 0));
}

#[tokio::test]
async fn a_message_that_nobody_saw_before_its_connection_ended_is_unknown() {
    let target = Target::start().await;
    let load = start(&target, 1, 2, "100/s").await;
    let before = target.behaviour.rooms.taken.load(Ordering::Relaxed);
    target.behaviour.rooms.swallow.store(u64::MAX, Ordering::Relaxed);
    until("some were swallowed", &load, |_| {
        target.behaviour.rooms.taken.load(Ordering::Relaxed) > before + 5
    })
    .await;
    target.behaviour.rooms.hang_up_on_all();
    until("nobody is connected", &load, |_| target.behaviour.rooms.connected() == 0).await;
    target.behaviour.rooms.swallow.store(0, Ordering::Relaxed);
    until_back(&load, 2).await;
    let (_, totals) = drain(&target, load).await;
    assert!(totals.unknown > 5, "{totals:?}");
    assert_eq!((totals.delivered, totals.lost, totals.duplicated), (totals.sent * 2, 0, 0));
}

#[tokio::test]
async fn what_a_history_that_does_not_reach_back_leaves_out_is_lost() {
    let target = Target::start().await;
    let load = start(&target, 1, 2, "200/s").await;
    target.behaviour.rooms.silent.store(true, Ordering::Relaxed);
    let before = target.behaviour.rooms.taken.load(Ordering::Relaxed);
    until("some were taken", &load, |_| target.behaviour.rooms.taken.load(Ordering::Relaxed) > before + 3)
        .await;
    // Each member hears something after what it missed, so that what it missed was certainly sent.
    target.behaviour.rooms.leave_out.store(1, Ordering::Relaxed);
    target.behaviour.rooms.silent.store(false, Ordering::Relaxed);
    until("one was left out", &load, |_| target.behaviour.rooms.leave_out.load(Ordering::Relaxed) == 0).await;
    target.behaviour.rooms.forget();
    target.behaviour.rooms.hang_up_on_all();
    until_back(&load, 2).await;
    let load_ledger = load.drain(Duration::from_millis(300)).await;
    let totals = &load_ledger.chats[0];
    assert_eq!((totals.lost, totals.duplicated), (1, 0), "{totals:?}");
    assert!(totals.unknown > 3, "{totals:?}");
}

#[tokio::test]
async fn a_member_who_cannot_come_back_before_the_load_stops_loses_what_it_missed_and_holds_nobody_up() {
    let target = Target::start().await;
    let load = start(&target, 1, 3, "200/s").await;
    target.behaviour.failing.store(true, Ordering::Relaxed);
    target.behaviour.rooms.close_all(1013);
    until("nobody is connected", &load, |_| target.behaviour.rooms.connected() == 0).await;
    let began = Instant::now();
    let (_, totals) = drain(&target, load).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!((totals.connections, totals.closed_cleanly, totals.reconnected), (3, 3, 0));
    assert_eq!(totals.delivered + totals.lost, totals.sent * 3);
}

#[tokio::test]
async fn a_service_that_is_gone_is_tried_again_and_the_refusals_are_in_the_ledger() {
    let mut target = Target::start().await;
    let load = start(&target, 1, 2, "50/s").await;
    target.stop_listening().await;
    target.behaviour.rooms.hang_up_on_all();
    until("it is refused", &load, |ledger| row(ledger, "/rooms/{room}/ws").refused > 4).await;
    let (ledger, totals) = drain(&target, load).await;
    let joins = row(&ledger, "/rooms/{room}/ws");
    assert_eq!(joins.opened, joins.closed_total() + joins.refused);
    assert_eq!((totals.connections, totals.closed_cleanly), (2, 0));
}
