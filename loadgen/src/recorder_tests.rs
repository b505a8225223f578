//! The ledger's accounting, one rule each.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn route(service: &str) -> Route {
    Route { service: service.parse().unwrap(), method: "GET".into(), route: "/users/{id}".into() }
}

fn fan_out(status: FanOutStatus, when: &[u16]) -> FanOut {
    FanOut { route: route("user"), status, when: when.to_vec() }
}

fn recorder(fan_out: &[FanOut]) -> (Recorder, StepId) {
    let mut builder = RecorderBuilder::default();
    let step = builder.step(&route("gateway"), fan_out);
    (builder.build(Clock::start()), step)
}

/// Whether direct, opened, closed by status, refused and unknown.
type Counts = (bool, u64, Vec<(u16, u64)>, u64, u64);

/// The counts of the direct row and of the implied one.
fn counts(recorder: &Recorder) -> Vec<Counts> {
    let ledger = recorder.ledger();
    ledger
        .rows
        .iter()
        .map(|row| {
            let closed = row.closed.iter().map(|(status, count)| (*status, *count)).collect();
            (row.direct, row.opened, closed, row.refused, row.unknown)
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn each_request_ends_in_exactly_one_way_and_a_dropped_one_is_unknown() {
    let (recorder, step) = recorder(&[]);
    recorder.open(step).close(200);
    recorder.open(step).close(500);
    recorder.open(step).refused();
    recorder.open(step).unknown();
    drop(recorder.open(step));
    assert_eq!(counts(&recorder), [(true, 5, vec![(200, 1), (500, 1)], 1, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_request_in_flight_is_opened_and_nothing_else() {
    let (recorder, step) = recorder(&[fan_out(FanOutStatus::Same, &[200])]);
    let open = recorder.open(step);
    assert_eq!(counts(&recorder), [(true, 1, vec![], 0, 0), (false, 0, vec![], 0, 0)]);
    open.close(200);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_implies_a_request_closes_it_too_with_its_own_or_a_fixed_status() {
    let (same, step) = recorder(&[fan_out(FanOutStatus::Same, &[200, 404])]);
    same.open(step).close(404);
    assert_eq!(counts(&same)[1], (false, 1, vec![(404, 1)], 0, 0));
    let (fixed, step) = recorder(&[fan_out(FanOutStatus::Fixed(201), &[200])]);
    fixed.open(step).close(200);
    assert_eq!(counts(&fixed)[1], (false, 1, vec![(201, 1)], 0, 0));
}

#[tokio::test(start_paused = true)]
async fn any_other_answer_or_none_leaves_the_implied_request_unknown_but_a_refusal_implies_nothing() {
    let (recorder, step) = recorder(&[fan_out(FanOutStatus::Same, &[200])]);
    recorder.open(step).close(502);
    recorder.open(step).unknown();
    recorder.open(step).refused();
    assert_eq!(counts(&recorder)[1], (false, 2, vec![], 0, 2));
}

#[tokio::test(start_paused = true)]
async fn latency_runs_from_opening_to_the_end_and_is_kept_for_direct_requests_only() {
    let (recorder, step) = recorder(&[fan_out(FanOutStatus::Same, &[200])]);
    let open = recorder.open(step);
    tokio::time::advance(Duration::from_millis(25)).await;
    open.close(200);
    let ledger = recorder.ledger();
    assert!(ledger.rows[0].latency.buckets.keys().all(|upper| (25_000..26_000).contains(upper)));
    assert_eq!(ledger.rows[0].latency.count(), 1);
    assert_eq!(ledger.rows[1].latency.count(), 0);
    assert_eq!(
        ledger.rows[1].bins,
        [LedgerBin { index: 2, status: 200, count: 1, shortest_us: 25_000, longest_us: 25_000 }]
    );
}

#[tokio::test(start_paused = true)]
async fn requests_around_a_marked_fault_are_told_one_by_one() {
    let (recorder, step) = recorder(&[]);
    recorder.open(step).close(200);
    tokio::time::advance(Duration::from_secs(5)).await;
    recorder.open(step).close(200);
    recorder.mark_fault();
    tokio::time::advance(Duration::from_secs(1)).await;
    recorder.open(step).unknown();
    tokio::time::advance(Duration::from_secs(5)).await;
    recorder.open(step).close(200);
    let told: Vec<_> = recorder.ledger().events.iter().map(|event| (event.ended_us, event.status)).collect();
    assert_eq!(told, [(5_000_000, Some(200)), (6_000_000, None)]);
}

proptest! {
    #[test]
    fn bins_are_ordered_and_add_up_whatever_the_order_of_ends(
        ends in prop::collection::vec((0u64..200_000, prop::sample::select(vec![200u16, 404, 500])), 0..200),
    ) {
        let mut row = LedgerRow::empty(route("user"), true);
        for (ended_us, status) in &ends {
            close(&mut row, *status, 0, *ended_us);
        }
        prop_assert!(row.bins.windows(2).all(|pair| (pair[0].index, pair[0].status) < (pair[1].index, pair[1].status)));
        prop_assert_eq!(row.bins.iter().map(|bin| u64::from(bin.count)).sum::<u64>(), row.closed_total());
        prop_assert_eq!(row.closed_total(), ends.len() as u64);
    }
}
