//! A whole drill's load: every kind at once, one ledger, one end.

use std::time::Duration;

use firedrill_drill::Load;
use firedrill_loadgen::{LoadError, RunningLoad};
use tokio::time::Instant;

use super::journeys::{ONE_ATTACK, arrivals, create_user, journey, read_user, users};
use super::target::{Target, direct, row, until};

#[tokio::test]
async fn loads_of_every_kind_write_one_ledger_that_equals_the_servers_own_count() {
    let _turn = ONE_ATTACK.lock().await;
    let target = Target::start().await;
    let read = journey("reads", vec![create_user()], vec![read_user()]);
    let loads = vec![
        users(3, read.clone()),
        arrivals("100/s", read.clone()),
        arrivals("50/s", read),
        Load::Chat { rooms: 2, members: 2, messages: "50/s".parse().unwrap() },
        Load::Chat { rooms: 1, members: 3, messages: "20/s".parse().unwrap() },
    ];
    let load = RunningLoad::start(target.plan(loads)).await.unwrap();
    until("all went on for a while", &load, |ledger| {
        ledger.arrivals.iter().all(|one| one.started > 20) && ledger.chats.iter().all(|one| one.sent > 5)
    })
    .await;
    let zero = load.zero();
    let ledger = load.drain(Duration::from_secs(5)).await;
    assert_eq!(ledger.zero, zero);
    assert_eq!(direct(&ledger), target.counts());
    assert_eq!(row(&ledger, "/users").closed, [(201, 5)].into());
    assert!(ledger.chats.iter().all(|chat| chat.lost == 0 && chat.closed_cleanly == chat.connections));
}

#[tokio::test]
async fn a_load_that_is_dropped_ends_by_itself() {
    let _turn = ONE_ATTACK.lock().await;
    let target = Target::start().await;
    let plan = target.plan(vec![users(2, journey("reads", vec![create_user()], vec![read_user()]))]);
    drop(RunningLoad::start(plan.clone()).await.unwrap());
    let deadline = Instant::now() + Duration::from_secs(10);
    let next = loop {
        match RunningLoad::start(plan.clone()).await {
            Err(LoadError::AttackRunning) => {
                assert!(Instant::now() < deadline, "the dropped load still runs");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            started => break started.unwrap(),
        }
    };
    next.drain(Duration::from_secs(5)).await;
}
