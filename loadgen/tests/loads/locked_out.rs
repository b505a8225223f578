//! Tokens that are not accepted any more while the load runs.

use std::sync::atomic::Ordering;
use std::time::Duration;

use firedrill_drill::{Capture, Journey, Load, Step};
use firedrill_loadgen::RunningLoad;
use firedrill_record::Ledger;

use super::journeys::{ONE_ATTACK, arrivals, journey, step, users};
use super::target::{Target, direct, row, until};

const GRACE: Duration = Duration::from_secs(5);

/// Logs in once and then uses the token.
fn member() -> Journey {
    let log_in = Step {
        expect: vec![201],
        capture: vec![Capture { name: "token".to_owned(), pointer: "/token".to_owned() }],
        ..step("POST", "/tokens", "/tokens")
    };
    let mut read = step("GET", "/guarded", "/guarded");
    read.headers.insert("authorization".to_owned(), "Bearer {token}".to_owned());
    journey("member", vec![log_in], vec![read])
}

fn closed_with(ledger: &Ledger, route: &str, status: u16) -> u64 {
    row(ledger, route).closed.get(&status).copied().unwrap_or(0)
}

async fn until_let_in_again(load: &RunningLoad) {
    let before = closed_with(&load.snapshot(), "/guarded", 200);
    until("they are let in again", load, |ledger| closed_with(ledger, "/guarded", 200) > before + 50).await;
}

/// Each of `sessions` logs in once at first and once again.
async fn expire_tokens_once(what: Load, sessions: u64) {
    let target = Target::start().await;
    let load = RunningLoad::start(target.plan(vec![what])).await.unwrap();
    until("it runs", &load, |ledger| closed_with(ledger, "/guarded", 200) > 20).await;
    target.behaviour.expire_tokens();
    until("all logged in again", &load, |ledger| closed_with(ledger, "/tokens", 201) == 2 * sessions).await;
    until_let_in_again(&load).await;
    assert_eq!(load.failure(), None);
    let ledger = load.drain(GRACE).await;
    assert_eq!(direct(&ledger), target.counts());
    assert_eq!(row(&ledger, "/tokens").closed, [(201, 2 * sessions)].into());
    assert!(closed_with(&ledger, "/guarded", 401) >= sessions);
}

#[tokio::test]
async fn each_user_who_is_answered_401_makes_its_set_up_again_and_goes_on() {
    let _turn = ONE_ATTACK.lock().await;
    expire_tokens_once(users(3, member()), 3).await;
}

#[tokio::test]
async fn arrivals_that_are_answered_401_make_one_set_up_for_all_and_keep_coming() {
    expire_tokens_once(arrivals("200/s", member()), 1).await;
}

#[tokio::test]
async fn a_set_up_that_fails_while_the_load_runs_is_tried_again_at_most_once_a_second() {
    let _turn = ONE_ATTACK.lock().await;
    for what in [users(1, member()), arrivals("100/s", member())] {
        let target = Target::start().await;
        let load = RunningLoad::start(target.plan(vec![what])).await.unwrap();
        target.behaviour.failing.store(true, Ordering::Relaxed);
        target.behaviour.expire_tokens();
        let since = tokio::time::Instant::now();
        until("it failed twice", &load, |ledger| closed_with(ledger, "/tokens", 500) == 2).await;
        assert!(since.elapsed() >= Duration::from_millis(900), "{:?}", since.elapsed());
        target.behaviour.failing.store(false, Ordering::Relaxed);
        until_let_in_again(&load).await;
        assert_eq!(load.failure(), None);
        let ledger = load.drain(GRACE).await;
        assert_eq!(direct(&ledger), target.counts());
        assert_eq!(closed_with(&ledger, "/tokens", 201), 2);
    }
}

#[tokio::test]
async fn a_set_up_that_goes_on_failing_holds_up_neither_the_drain_nor_arrivals() {
    let _turn = ONE_ATTACK.lock().await;
    let target = Target::start().await;
    let loads = vec![users(2, member()), arrivals("100/s", member())];
    let load = RunningLoad::start(target.plan(loads)).await.unwrap();
    target.behaviour.failing.store(true, Ordering::Relaxed);
    target.behaviour.expire_tokens();
    until("set-up fails", &load, |ledger| closed_with(ledger, "/tokens", 500) >= 3).await;
    let started = load.snapshot().arrivals[0].started;
    until("arrivals keep coming", &load, |ledger| ledger.arrivals[0].started > started + 50).await;
    let since = tokio::time::Instant::now();
    let ledger = load.drain(GRACE).await;
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    assert_eq!(direct(&ledger), target.counts());
}

#[tokio::test]
async fn a_401_that_the_step_expects_is_no_reason_to_log_in_again() {
    let _turn = ONE_ATTACK.lock().await;
    let target = Target::start().await;
    let mut intruder = member();
    intruder.steps[0].headers.clear();
    intruder.steps[0].expect = vec![401];
    let load = RunningLoad::start(target.plan(vec![users(1, intruder)])).await.unwrap();
    until("it was turned away", &load, |ledger| closed_with(ledger, "/guarded", 401) > 20).await;
    let ledger = load.drain(GRACE).await;
    assert_eq!(row(&ledger, "/tokens").opened, 1);
}
