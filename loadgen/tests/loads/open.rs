use std::time::Duration;

use firedrill_drill::Step;
use firedrill_loadgen::RunningLoad;
use tokio::time::Instant;

use super::journeys::{arrivals, create_user, journey, read_user_from_store, step};
use super::target::{Target, direct, row, until};

const GRACE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn the_ledger_of_arrivals_equals_the_servers_own_count() {
    let target = Target::start().await;
    let loads = vec![arrivals("200/s", journey("reads", vec![create_user()], vec![read_user_from_store()]))];
    let load = RunningLoad::start(target.plan(loads)).await.unwrap();
    until("many arrived", &load, |ledger| row(ledger, "/users/{id}").opened > 100).await;
    let ledger = load.drain(GRACE).await;
    assert_eq!(direct(&ledger), target.counts());
    assert_eq!(ledger.direct_totals().1, 0);
    let implied = ledger.rows.iter().find(|row| !row.direct).unwrap();
    assert_eq!(implied.closed, row(&ledger, "/users/{id}").closed);
    let [totals] = &ledger.arrivals[..] else { panic!("one open-model load: {:?}", ledger.arrivals) };
    assert_eq!((totals.name.as_str(), totals.dropped), ("reads", 0));
    assert_eq!(totals.started, row(&ledger, "/users/{id}").opened);
    assert_eq!(totals.latency.count(), totals.started);
    assert!((totals.started..=totals.started + 40).contains(&totals.intended), "{totals:?}");
}

#[tokio::test]
async fn arrivals_keep_coming_while_the_server_hangs_and_are_dropped_when_too_many_are_in_flight() {
    let target = Target::start().await;
    let hang = Step { timeout: Duration::from_mins(1), ..step("GET", "/hang", "/hang") };
    let loads = vec![arrivals("20000/s", journey("flood", vec![], vec![hang]))];
    let load = RunningLoad::start(target.plan(loads)).await.unwrap();
    until("some are dropped", &load, |ledger| {
        ledger.arrivals[0].dropped > 10 && row(ledger, "/hang").opened == 1000
    })
    .await;
    let grace = Duration::from_millis(200);
    let began = Instant::now();
    let ledger = load.drain(grace).await;
    assert!(began.elapsed() < grace + Duration::from_secs(2), "{:?}", began.elapsed());
    let (stuck, totals) = (row(&ledger, "/hang"), &ledger.arrivals[0]);
    assert_eq!((stuck.opened, stuck.unknown, totals.started), (1000, 1000, 1000));
    assert!(totals.started + totals.dropped <= totals.intended, "{totals:?}");
}

#[tokio::test]
async fn latency_of_an_arrival_counts_from_its_intended_start_through_a_time_out() {
    let target = Target::start().await;
    let hang = Step { timeout: Duration::from_millis(150), ..step("GET", "/hang", "/hang") };
    let loads = vec![arrivals("100/s", journey("late", vec![], vec![hang]))];
    let load = RunningLoad::start(target.plan(loads)).await.unwrap();
    until("some timed out", &load, |ledger| ledger.arrivals[0].latency.count() > 5).await;
    let ledger = load.drain(GRACE).await;
    assert_eq!(ledger.arrivals[0].latency.count_at_most(149_000), 0);
    assert_eq!(row(&ledger, "/hang").latency.count(), 0);
}

#[tokio::test]
async fn a_service_that_is_gone_refuses_arrivals_without_unknown_ends() {
    let mut target = Target::start().await;
    let mut read = step("GET", "/fail", "/fail");
    read.headers.insert("connection".to_owned(), "close".to_owned());
    read.fan_out = read_user_from_store().fan_out;
    let loads = vec![arrivals("100/s", journey("reads", vec![], vec![read]))];
    let load = RunningLoad::start(target.plan(loads)).await.unwrap();
    until("it runs", &load, |ledger| row(ledger, "/fail").closed_total() > 3).await;
    target.stop_listening().await;
    until("it is refused", &load, |ledger| row(ledger, "/fail").refused > 3).await;
    let ledger = load.drain(GRACE).await;
    let (gone, implied) = (row(&ledger, "/fail"), ledger.rows.iter().find(|row| !row.direct).unwrap());
    assert_eq!(gone.opened, gone.closed_total() + gone.refused + gone.unknown);
    assert_eq!(implied.opened, gone.closed_total() + gone.unknown);
    assert!(ledger.arrivals[0].latency.count() <= gone.closed_total() + gone.unknown);
}
