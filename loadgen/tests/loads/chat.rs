use std::sync::atomic::Ordering;
use std::time::Duration;

use firedrill_drill::Load;
use firedrill_loadgen::{LoadError, RunningLoad};
use firedrill_record::ChatTotals;
use tokio::time::Instant;

use super::target::{Target, direct, row, until};

const GRACE: Duration = Duration::from_secs(5);

fn rooms(rooms: u32, members: u32, messages: &str) -> Vec<Load> {
    vec![Load::Chat { rooms, members, messages: messages.parse().unwrap() }]
}

/// Runs a chat until `sent` messages were sent, and drains it.
async fn talk(target: &Target, loads: Vec<Load>, sent: u64, grace: Duration) -> ChatTotals {
    let load = RunningLoad::start(target.plan(loads)).await.unwrap();
    until("enough was said", &load, |ledger| ledger.chats[0].sent >= sent).await;
    assert!(load.progress().messages >= sent);
    assert_eq!(load.failure(), None);
    let ledger = load.drain(grace).await;
    assert_eq!(direct(&ledger), target.counts());
    ledger.chats.into_iter().next().unwrap()
}

#[tokio::test]
async fn every_message_reaches_every_member_of_its_room_once_and_connections_close_cleanly() {
    let target = Target::start().await;
    let totals = talk(&target, rooms(3, 4, "200/s"), 50, GRACE).await;
    assert_eq!((totals.connections, totals.closed_cleanly), (12, 12));
    assert_eq!(totals.expected_deliveries, totals.sent * 4);
    assert_eq!((totals.delivered, totals.lost, totals.duplicated), (totals.expected_deliveries, 0, 0));
    assert_eq!(totals.latency.count(), totals.delivered);
}

#[tokio::test]
async fn a_delivery_that_the_service_leaves_out_is_lost() {
    let target = Target::start().await;
    target.behaviour.rooms.leave_out.store(3, Ordering::Relaxed);
    let totals = talk(&target, rooms(1, 3, "200/s"), 20, Duration::from_secs(1)).await;
    assert_eq!((totals.lost, totals.duplicated), (3, 0));
    assert_eq!(totals.delivered + 3, totals.expected_deliveries);
    assert_eq!(totals.closed_cleanly, 3);
}

#[tokio::test]
async fn a_delivery_made_twice_is_a_duplicate_and_not_a_delivery_more() {
    let target = Target::start().await;
    target.behaviour.rooms.send_twice.store(2, Ordering::Relaxed);
    let totals = talk(&target, rooms(1, 2, "200/s"), 20, GRACE).await;
    assert_eq!((totals.delivered, totals.lost, totals.duplicated), (totals.sent * 2, 0, 2));
}

#[tokio::test]
async fn an_upgrade_is_one_request_that_closes_with_101() {
    let target = Target::start().await;
    let load = RunningLoad::start(target.plan(rooms(2, 2, "1/s"))).await.unwrap();
    let ledger = load.drain(GRACE).await;
    assert_eq!(row(&ledger, "/rooms/{room}/ws").closed, [(101, 4)].into());
}

#[tokio::test]
async fn a_refused_upgrade_is_told_with_its_status() {
    let target = Target::start().await;
    target.behaviour.failing.store(true, Ordering::Relaxed);
    let error = RunningLoad::start(target.plan(rooms(1, 1, "1/s"))).await.unwrap_err();
    assert!(matches!(error, LoadError::MemberCouldNotJoin { status: Some(503), .. }), "{error}");
}

#[tokio::test]
async fn what_a_service_that_takes_and_never_delivers_owes_is_lost_within_the_grace() {
    let target = Target::start().await;
    target.behaviour.rooms.leave_out.store(u64::MAX, Ordering::Relaxed);
    let load = RunningLoad::start(target.plan(rooms(1, 2, "100/s"))).await.unwrap();
    let taken = || target.behaviour.rooms.taken.load(Ordering::Relaxed);
    until("some were taken", &load, |_| taken() > 5).await;
    let began = Instant::now();
    let ledger = load.drain(Duration::from_millis(200)).await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let totals = &ledger.chats[0];
    assert_eq!((totals.sent, totals.unknown, totals.closed_cleanly), (taken(), 0, 2));
    assert_eq!((totals.delivered, totals.lost), (0, totals.sent * 2));
}

#[tokio::test]
async fn a_message_that_the_service_takes_and_drops_is_lost_to_every_member() {
    let target = Target::start().await;
    target.behaviour.rooms.swallow.store(2, Ordering::Relaxed);
    let totals = talk(&target, rooms(1, 3, "200/s"), 20, Duration::from_secs(1)).await;
    assert_eq!(totals.sent, target.behaviour.rooms.taken.load(Ordering::Relaxed));
    assert_eq!((totals.unknown, totals.lost, totals.duplicated), (0, 6, 0));
}
