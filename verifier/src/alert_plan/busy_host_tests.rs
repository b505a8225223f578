//! The windows of an alert about busy processors, against a simulated kernel, Prometheus and harness.

use std::time::Duration;

use firedrill_drill::Fault;
use firedrill_record::FaultRecord;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{AlertPlan, Measured, Processors};
use crate::checks::fixtures::{self, expectation};
use crate::deadline::Window;
use crate::evidence::HostSample;

const RULE: &str = "100 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[5s])) * 100 > 80";
const THRESHOLD: f64 = 0.8;
/// Seconds of the window, and of a scrape and an evaluation interval.
const WINDOW: f64 = 5.0;
const INTERVAL: f64 = 0.25;
/// What a scrape takes until its samples can be read.
const SCRAPE_TAKES: f64 = 0.005;
/// The fault is there from 20 s to 28 s.
const FAULT: (f64, f64) = (20.0, 28.0);
const END: f64 = 40.0;
/// The kernel counts processor time in these, in seconds.
const TICK: f64 = 0.01;
/// The widest window from a host that is half busy.
const WIDEST: f64 = 2.0 * INTERVAL + 0.2 + 0.1 * WINDOW;
/// The host changes its mind so often, in seconds.
const STEP: f64 = 0.05;

/// A host, and the phases of what looks at it.
#[derive(Debug, Clone)]
struct Host {
    /// Seconds used since the begin, at each multiple of [`STEP`].
    used: Vec<f64>,
    /// Of scrapes and of evaluations, in seconds.
    phases: (f64, f64),
    /// Of the harness: from one look to the next, in turn, in seconds.
    looks: Vec<f64>,
}

impl Host {
    /// Busy for `baseline` of each step outside of the fault, and for `during` of each under it.
    fn new(baseline: impl Fn(f64) -> f64, during: f64, phases: (f64, f64), looks: Vec<f64>) -> Self {
        let mut used = vec![0.0];
        let mut at = 0.0;
        while at < END {
            let middle = at + STEP / 2.0;
            let share = if (FAULT.0..FAULT.1).contains(&middle) { during } else { baseline(middle) };
            used.push(used[used.len() - 1] + share * STEP);
            at += STEP;
        }
        Self { used, phases, looks }
    }

    fn used_at(&self, at: f64) -> f64 {
        let place = (at / STEP).max(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and not negative")]
        let index = (place as usize).min(self.used.len() - 2);
        self.used[index] + (place - index as f64) * (self.used[index + 1] - self.used[index])
    }

    /// What the kernel has not counted as idle: of each of two processors it counts full ticks, each at its own phase.
    fn counted_at(&self, at: f64) -> f64 {
        let idle = at - self.used_at(at);
        let full = |phase: f64| ((idle + phase) / TICK).floor() * TICK;
        at - f64::midpoint(full(0.0), full(TICK / 3.0))
    }

    /// What the harness saw.
    fn looked_at(&self) -> Vec<HostSample> {
        let mut instants = vec![0.0];
        let mut looks = self.looks.iter().cycle();
        while instants[instants.len() - 1] < END - 1.0 {
            instants.push(instants[instants.len() - 1] + looks.next().unwrap());
        }
        let share = |pair: &[f64]| {
            let used = self.counted_at(pair[1]) - self.counted_at(pair[0]);
            (used / (pair[1] - pair[0])).max(0.0)
        };
        let sample = |pair: &[f64]| HostSample { at: instant(pair[1]), busy: share(pair), waiting: 0.0 };
        instants.windows(2).map(sample).collect()
    }

    /// Whether an evaluation sees the host busy: `1 - rate(idle[5s]) > 0.8` as Prometheus computes it. It extrapolates by
    /// up to 1.1 intervals on both sides, which are never further away here, and divides by what it extrapolated to.
    fn is_seen_busy(&self, evaluation: f64) -> bool {
        let place = |at: f64| (at - self.phases.0) / INTERVAL;
        let first = self.phases.0 + place(evaluation - WINDOW).ceil() * INTERVAL;
        let last = self.phases.0 + place(evaluation - SCRAPE_TAKES).floor() * INTERVAL;
        (self.counted_at(last) - self.counted_at(first)) / (last - first) > THRESHOLD
    }

    /// The first evaluation from `from` on that sees it so, or not so, in seconds since `from`.
    fn first(&self, from: f64, busy: bool) -> Option<f64> {
        let begin = self.phases.1 + ((from - self.phases.1) / INTERVAL).ceil() * INTERVAL;
        let evaluations = (0..48).map(|number| begin + f64::from(number) * INTERVAL);
        evaluations.into_iter().find(|at| self.is_seen_busy(*at) == busy).map(|at| at - from)
    }
}

fn instant(seconds: f64) -> Timestamp {
    fixtures::at(0) + SignedDuration::from_secs_f64(seconds)
}

/// Prediction and observation of both crossings; none where the levels are too near to the threshold to tell.
fn both(host: &Host) -> Option<[(Window, f64); 2]> {
    let mut configuration = fixtures::configuration();
    configuration.rules[0].expr = RULE.into();
    let plan = AlertPlan::make(&fixtures::plan(), &configuration, &expectation()).unwrap();
    let fault = Fault::HostCpu { cores: None, lasts: Duration::from_mins(8) };
    let record = FaultRecord {
        what: fault.to_string(),
        asked: instant(FAULT.0),
        injected: Some(instant(FAULT.0)),
        undo_asked: Some(instant(FAULT.1)),
        undone: Some(instant(FAULT.1)),
        proof: None,
        witnessed: None,
        problem: None,
    };
    let processors = Processors::measure(&host.looked_at(), &record, plan.busy_condition().unwrap()).unwrap();
    let measured = Measured { processors: Some(processors), ..Measured::default() };
    if measured.unclear_processors(&plan, &fault).is_some() {
        return None;
    }
    let scrape = Some(SCRAPE_TAKES);
    let rise = plan.clockwork.cause_to_pending(plan.crossing(&fault, Some(&measured)), 0.0, scrape).unwrap();
    let fall = plan.clockwork.undone_to_resolved(plan.crossing_back(&fault, &measured), 0.0, scrape);
    Some([(rise, host.first(FAULT.0, true).unwrap()), (fall, host.first(FAULT.1, false).unwrap())])
}

fn assert_inside(host: &Host, widest: f64) -> Result<(), String> {
    for (window, observed) in both(host).into_iter().flatten() {
        if !window.holds(observed) || window.latest() - window.earliest() > widest {
            return Err(format!(
                "{observed:.3} in {:.3} to {:.3}, {}: {host:?}",
                window.earliest(),
                window.latest(),
                window.computed_from
            ));
        }
    }
    Ok(())
}

/// Every phase of scrapes and evaluations in steps of 50 ms.
fn phases() -> impl Iterator<Item = (f64, f64)> {
    (0..25).map(|number| (f64::from(number % 5) * 0.05, f64::from(number / 5) * 0.05))
}

#[test]
fn a_host_that_is_now_a_fifth_and_now_two_thirds_busy_crosses_inside_the_window() {
    for (period, phases) in
        [0.2, 0.5, 1.0].into_iter().flat_map(|period| phases().map(move |it| (period, it)))
    {
        let baseline = |at: f64| if (at / period).floor() % 2.0 < 0.5 { 0.2 } else { 0.7 };
        let host = Host::new(baseline, 0.99, phases, vec![0.21, 0.26, 0.35]);
        assert!(both(&host).is_some(), "it can be told");
        assert_inside(&host, WIDEST).unwrap_or_else(|why| panic!("{period}: {why}"));
    }
}

#[test]
fn a_burst_in_the_middle_of_an_idle_time_before_the_fault_crosses_inside_the_window() {
    // One second in nineteen the host is two thirds busy, the one before the fault among them.
    let baseline = |at: f64| match (at / 0.95).floor() % 20.0 {
        burst if burst < 0.5 => 0.64,
        burst if burst > 18.5 => 0.74,
        _ => 0.05,
    };
    for phases in phases() {
        let host = Host::new(baseline, 0.95, phases, vec![0.32, 0.2, 0.2]);
        // So near to the threshold little is known of when it crossed it.
        assert_inside(&host, 2.0 * WIDEST).unwrap();
    }
}

proptest! {
    #[test]
    fn any_baseline_and_any_looks_cross_inside_the_window(
        levels in prop::collection::vec(0.05..0.75, 20),
        lasting in 4_u32..24,
        during in 0.95..1.0,
        phases in (0.0..INTERVAL, 0.0..INTERVAL),
        looks in prop::collection::vec(0.2..0.8, 3..7),
    ) {
        let lasting = f64::from(lasting) * STEP;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and not negative")]
        let baseline = |at: f64| levels[(at / lasting) as usize % levels.len()];
        let host = Host::new(baseline, during, phases, looks);
        // The nearer the host was to the threshold, the less is known of when it crossed it.
        prop_assert_eq!(assert_inside(&host, 2.0 * WIDEST), Ok(()));
    }
}
