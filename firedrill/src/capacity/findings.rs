//! What a capacity run found, from the records of its steps alone.

use firedrill_record::{CapacityRecord, CapacityStep, DrillRecord, ServiceName, Verdict};

/// The part under which the harness follows itself.
const HARNESS: &str = "firedrill";
/// The job by which Prometheus scrapes the harness: no part of what is deployed.
const HARNESS_JOB: &str = "firedrill";

/// What a rate may cost, and what the stack is meant to take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    /// The 99th percentile from the intended start, in milliseconds.
    pub(crate) p99_ms: f64,
    /// Share of the arrivals that must have started.
    pub(crate) achieved: f64,
    /// Share of requests that may fail.
    pub(crate) failed: f64,
    /// Samples a day.
    pub(crate) samples_per_day: f64,
    /// Services.
    pub(crate) services: u32,
}

/// One step from its drill.
pub(crate) fn step(drill: &DrillRecord, service: &ServiceName, limits: Limits) -> CapacityStep {
    let load = &drill.load;
    let arrivals = load.arrivals.first();
    let latency = |name: &str| arrivals.and_then(|one| one.latency_ms.get(name)).copied();
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let cpu = |part: &str| {
        let used = drill.parts.iter().find(|one| one.part == part && one.seconds > 0.0);
        used.map_or(0.0, |one| one.cpu_seconds / one.seconds)
    };
    let achieved = arrivals.map_or(0.0, |one| share(one.started, one.intended));
    let failed = share(load.failed + load.unknown, load.requests);
    let (p50_ms, p99_ms) = (latency("p50"), latency("p99"));
    let truth =
        Verdict::worst(drill.expectations.iter().filter(|one| one.kind == "truth").map(|one| one.verdict));
    CapacityStep {
        rate: arrivals.map_or(0.0, |one| one.rate),
        achieved,
        failed,
        p50_ms,
        p99_ms,
        service_cpu: cpu(service.as_str()),
        harness_cpu: cpu(HARNESS),
        truth,
        within: p99_ms.is_some_and(|ms| ms <= limits.p99_ms)
            && achieved >= limits.achieved
            && failed <= limits.failed,
    }
}

/// Everything from the records of the steps, in their order; `complete` is false when the run was cut short.
pub(crate) fn findings(
    drills: &[DrillRecord],
    service: &ServiceName,
    limits: Limits,
    complete: bool,
) -> CapacityRecord {
    let steps: Vec<CapacityStep> = drills.iter().map(|drill| step(drill, service, limits)).collect();
    // Under the last load every series that this load makes is there.
    let today: Vec<_> = drills
        .iter()
        .rev()
        .map(|drill| &drill.scraped)
        .find(|scraped| !scraped.is_empty())
        .into_iter()
        .flatten()
        .filter(|one| one.job != HARNESS_JOB)
        .cloned()
        .collect();
    let carried =
        steps.iter().take_while(|one| one.within).map(|one| one.rate).fold(None, |_, rate| Some(rate));
    CapacityRecord {
        samples_per_day: today.iter().map(firedrill_record::ScrapedTarget::samples_per_day).sum(),
        today,
        target_samples_per_day: limits.samples_per_day,
        target_services: limits.services,
        service: service.to_string(),
        limit_p99_ms: limits.p99_ms,
        ended_because: ended_because(steps.last(), limits, complete),
        steps,
        carried,
    }
}

fn ended_because(last: Option<&CapacityStep>, limits: Limits, complete: bool) -> String {
    match last {
        None => "no rate was tried".to_owned(),
        Some(_) if !complete => "the run was cut short".to_owned(),
        Some(CapacityStep { p99_ms: None, rate, .. }) => format!("at {rate}/s nothing was answered"),
        Some(CapacityStep { p99_ms: Some(ms), rate, .. }) if *ms > limits.p99_ms => {
            format!("at {rate}/s the 99th percentile is {ms:.0} ms, the limit {:.0} ms", limits.p99_ms)
        }
        Some(last) if last.achieved < limits.achieved => format!(
            "at {}/s only {:.1}% of the arrivals could be started: the load generator is the limit",
            last.rate,
            last.achieved * 100.0
        ),
        Some(last) if last.failed > limits.failed => {
            format!("at {}/s {:.1}% of the requests failed", last.rate, last.failed * 100.0)
        }
        Some(last) => {
            format!("{}/s is the highest rate that is tried, and it is within the limit", last.rate)
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use firedrill_record::{ArrivalRecord, ExpectationRecord, LoadRecord, ScrapedTarget};

    use super::*;

    pub(crate) const LIMITS: Limits =
        Limits { p99_ms: 250.0, achieved: 0.99, failed: 0.01, samples_per_day: 1e6, services: 10 };

    /// A step at `rate` with this 99th percentile.
    pub(crate) fn tried(rate: f64, p99_ms: f64) -> DrillRecord {
        DrillRecord {
            name: "a-step".parse().unwrap(),
            about: String::new(),
            file: String::new(),
            load_began: None,
            seconds: 12.0,
            verdict: Verdict::Held,
            must_be: None,
            passed: true,
            faults: Vec::new(),
            load: LoadRecord {
                requests: 1000,
                arrivals: vec![ArrivalRecord {
                    name: "read-user".to_owned(),
                    rate,
                    intended: 1000,
                    started: 1000,
                    latency_ms: BTreeMap::from([("p50".to_owned(), 1.0), ("p99".to_owned(), p99_ms)]),
                }],
                ..LoadRecord::default()
            },
            parts: Vec::new(),
            scraped: [("services", "user", 300), ("node", "", 700), ("firedrill", "", 3)]
                .map(|(job, service, series)| ScrapedTarget {
                    job: job.to_owned(),
                    service: service.to_owned(),
                    instance: String::new(),
                    series,
                    interval_seconds: 15.0,
                })
                .into(),
            expectations: vec![ExpectationRecord::held("truth", "counters exact", "equal")],
        }
    }

    fn found(drills: &[DrillRecord]) -> CapacityRecord {
        findings(drills, &"user".parse().unwrap(), LIMITS, true)
    }

    #[test]
    fn the_highest_rate_within_the_limit_is_what_is_carried() {
        let found = found(&[tried(100.0, 3.0), tried(150.0, 20.0), tried(225.0, 251.0)]);
        assert_eq!(found.carried, Some(150.0));
        assert!(found.ended_because.contains("225/s") && found.ended_because.contains("251 ms"), "{found:?}");
        assert_eq!(found.steps.iter().map(|one| one.within).collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn samples_a_day_are_series_times_scrapes_without_the_harness() {
        let found = found(&[tried(100.0, 3.0)]);
        assert_eq!(found.today.len(), 2);
        assert!((found.samples_per_day - 1000.0 * 5760.0).abs() < 1e-6, "{}", found.samples_per_day);
    }

    #[test]
    fn a_step_without_answers_or_with_a_generator_that_fell_behind_is_not_within() {
        let service = "user".parse().unwrap();
        let mut silent = tried(100.0, 3.0);
        silent.load.arrivals[0].latency_ms.clear();
        assert!(!step(&silent, &service, LIMITS).within);
        let mut behind = tried(100.0, 3.0);
        behind.load.arrivals[0].started = 900;
        assert!(!step(&behind, &service, LIMITS).within);
        assert!(found(&[behind]).ended_because.contains("load generator"));
        assert_eq!(found(&[]).carried, None);
    }
}
