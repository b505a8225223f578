use std::sync::atomic::Ordering;
use std::time::Duration;

use firedrill_drill::Step;
use firedrill_loadgen::{LoadError, RunningLoad};
use tokio::time::Instant;

use super::journeys::{ONE_ATTACK, create_user, journey, read_user, read_user_from_store, step, users};
use super::target::{Target, direct, row, until};

const GRACE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn the_ledger_of_users_equals_the_servers_own_count() {
    let _turn = ONE_ATTACK.lock().await;
    let target = Target::start().await;
    let loads = vec![
        users(3, journey("readers", vec![create_user()], vec![read_user_from_store()])),
        users(2, journey("writers", vec![], vec![create_user(), read_user()])),
    ];
    let load = RunningLoad::start(target.plan(loads)).await.unwrap();
    until("both journeys went round", &load, |ledger| {
        row(ledger, "/users/{id}").opened > 200 && row(ledger, "/users").opened > 50
    })
    .await;
    assert_eq!(load.failure(), None);
    let ledger = load.drain(GRACE).await;
    assert_eq!(direct(&ledger), target.counts());
    assert_eq!(ledger.direct_totals().1, 0);
    assert!(ledger.rows.iter().all(|row| row.opened == row.closed_total()), "{:#?}", ledger.rows);
    let implied = ledger.rows.iter().find(|row| !row.direct).unwrap();
    assert!(implied.opened > 0 && implied.opened < row(&ledger, "/users/{id}").opened);
}

#[tokio::test]
async fn each_load_gets_exactly_its_users_and_each_user_one_set_up() {
    let _turn = ONE_ATTACK.lock().await;
    let target = Target::start().await;
    let hang = |timeout| Step { timeout, ..step("GET", "/hang", "/hang") };
    let loads = vec![
        users(6, journey("six", vec![create_user()], vec![hang(GRACE)])),
        users(4, journey("four", vec![create_user()], vec![hang(GRACE)])),
    ];
    let load = RunningLoad::start(target.plan(loads)).await.unwrap();
    assert_eq!(row(&load.snapshot(), "/users").closed[&201], 10);
    until("every user has a request in flight", &load, |ledger| row(ledger, "/hang").opened == 10).await;
    let ledger = load.drain(Duration::ZERO).await;
    assert_eq!(row(&ledger, "/hang").unknown, 10);
    assert_eq!(row(&ledger, "/users").opened, 10);
}

#[tokio::test]
async fn a_hung_server_leaves_unknown_requests_and_does_not_hold_up_the_drain() {
    let _turn = ONE_ATTACK.lock().await;
    let target = Target::start().await;
    let slow = Step { timeout: Duration::from_mins(1), ..step("GET", "/hang", "/hang") };
    let loads = vec![users(5, journey("patient", vec![], vec![slow]))];
    let load = RunningLoad::start(target.plan(loads)).await.unwrap();
    until("all are stuck", &load, |ledger| row(ledger, "/hang").opened == 5).await;
    let grace = Duration::from_millis(300);
    let began = Instant::now();
    let ledger = load.drain(grace).await;
    assert!(began.elapsed() < grace + Duration::from_secs(2), "{:?}", began.elapsed());
    let hung = row(&ledger, "/hang");
    assert_eq!((hung.opened, hung.closed_total(), hung.refused, hung.unknown), (5, 0, 0, 5));
}

#[tokio::test]
async fn a_time_out_is_unknown_and_so_is_what_it_implies() {
    let _turn = ONE_ATTACK.lock().await;
    let target = Target::start().await;
    let mut slow = Step { timeout: Duration::from_millis(20), ..step("GET", "/hang", "/hang") };
    slow.fan_out = read_user_from_store().fan_out;
    let load =
        RunningLoad::start(target.plan(vec![users(2, journey("hasty", vec![], vec![slow]))])).await.unwrap();
    until("some timed out", &load, |ledger| row(ledger, "/hang").unknown > 4).await;
    let ledger = load.drain(GRACE).await;
    let (direct, implied) = (row(&ledger, "/hang"), ledger.rows.iter().find(|row| !row.direct).unwrap());
    assert_eq!(direct.opened, direct.unknown);
    assert_eq!((implied.opened, implied.unknown), (direct.unknown, direct.unknown));
}

#[tokio::test]
async fn redirects_are_answers_and_are_not_followed() {
    let _turn = ONE_ATTACK.lock().await;
    let target = Target::start().await;
    let moved = Step { expect: vec![303], ..step("GET", "/elsewhere", "/elsewhere") };
    let load =
        RunningLoad::start(target.plan(vec![users(1, journey("moved", vec![], vec![moved]))])).await.unwrap();
    until("it was asked", &load, |ledger| row(ledger, "/elsewhere").closed_total() > 3).await;
    let ledger = load.drain(GRACE).await;
    assert_eq!(direct(&ledger), target.counts());
    assert_eq!(ledger.rows.len(), 1);
}

#[tokio::test]
async fn when_a_value_was_not_captured_the_rest_of_the_round_is_not_opened() {
    let _turn = ONE_ATTACK.lock().await;
    let target = Target::start().await;
    let gives_id = Step { capture: create_user().capture, ..step("GET", "/fail", "/fail") };
    let loads = vec![users(1, journey("unlucky", vec![], vec![gives_id, read_user()]))];
    let load = RunningLoad::start(target.plan(loads)).await.unwrap();
    until("it goes round", &load, |ledger| row(ledger, "/users/{id}").closed_total() > 3).await;
    target.behaviour.failing.store(true, Ordering::Relaxed);
    until("it fails", &load, |ledger| row(ledger, "/fail").closed.contains_key(&500)).await;
    let before = row(&load.snapshot(), "/users/{id}").opened;
    until("it fails again", &load, |ledger| row(ledger, "/fail").closed[&500] > 5).await;
    let ledger = load.drain(GRACE).await;
    assert_eq!(row(&ledger, "/users/{id}").opened, before);
    assert_eq!(direct(&ledger), target.counts());
}

#[tokio::test]
async fn a_service_that_is_gone_refuses_and_what_was_in_flight_is_told_around_the_fault() {
    let _turn = ONE_ATTACK.lock().await;
    let mut target = Target::start().await;
    // The connection that the server closes in answer to this header cannot be used again.
    let mut read = step("GET", "/fail", "/fail");
    read.headers.insert("connection".to_owned(), "close".to_owned());
    read.fan_out = read_user_from_store().fan_out;
    let load =
        RunningLoad::start(target.plan(vec![users(2, journey("loyal", vec![], vec![read]))])).await.unwrap();
    until("it runs", &load, |ledger| row(ledger, "/fail").closed_total() > 3).await;
    load.mark_fault();
    target.stop_listening().await;
    until("it is refused", &load, |ledger| row(ledger, "/fail").refused > 3).await;
    let ledger = load.drain(GRACE).await;
    let (gone, implied) = (row(&ledger, "/fail"), ledger.rows.iter().find(|row| !row.direct).unwrap());
    assert_eq!(gone.opened, gone.closed_total() + gone.refused + gone.unknown);
    assert_eq!(implied.opened, gone.closed_total() + gone.unknown);
    assert_eq!(ledger.events.len() as u64, gone.opened);
    assert!(ledger.events.windows(2).all(|pair| pair[0].ended_us <= pair[1].ended_us));
}

#[tokio::test]
async fn a_second_attack_in_the_same_process_is_refused_while_the_first_runs() {
    let _turn = ONE_ATTACK.lock().await;
    let target = Target::start().await;
    let plan = target.plan(vec![users(1, journey("readers", vec![create_user()], vec![read_user()]))]);
    let first = RunningLoad::start(plan.clone()).await.unwrap();
    assert_eq!(RunningLoad::start(plan.clone()).await.unwrap_err(), LoadError::AttackRunning);
    first.drain(GRACE).await;
    RunningLoad::start(plan).await.unwrap().drain(GRACE).await;
}

#[test]
fn a_closed_load_prints_nothing() {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "closed::redirects_are_answers_and_are_not_followed", "--nocapture"])
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    let printed = String::from_utf8(child.stdout).unwrap();
    let of_goose: Vec<_> = printed
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("test ") && !line.starts_with("running 1 test"))
        .collect();
    assert_eq!(of_goose, Vec::<&str>::new());
    assert_eq!(String::from_utf8(child.stderr).unwrap(), "");
}
