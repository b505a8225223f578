//! Two runs of the same drills at two speeds, in drill time: a pure function of their records.
//!
//! What scales is the same in drill time at every speed, up to where a scrape or an evaluation falls. What does not scale
//! is taken away before: how long the switch of a fault took, as it was measured. The other constants of the binaries
//! enter no segment: targets and Alertmanagers are discovered (5 s) before the first drill of a stack, each drill's groups
//! are new (so that none of Alertmanager's 30 s of an empty group matter), and a notify timeout (10 s) only ends tries at a
//! receiver that fails.

use firedrill_record::{
    ComparedDrill, ComparedSegment, Comparison, DrillName, DrillRecord, ExpectationRecord, FaultRecord,
    RunId, Segment,
};

/// Observations may lie so many scrape intervals apart.
const INTERVALS: f64 = 2.0;

/// The instant of an alert's timeline at which its fault was asked for.
const FAULT_BEGAN: &str = "fault began";

/// A drill and its speed.
#[derive(Debug, Clone)]
pub(crate) struct Timed {
    pub(crate) speed: u32,
    pub(crate) drill: DrillRecord,
}

/// Compares the drills of two runs by their names.
pub(crate) fn compare(runs: [RunId; 2], drills: [&[Timed]; 2]) -> Comparison {
    let [first, second] = drills;
    let mut names: Vec<&DrillName> = Vec::new();
    for one in first.iter().chain(second) {
        if !names.contains(&&one.drill.name) {
            names.push(&one.drill.name);
        }
    }
    let of = |name: &DrillName| drills.map(|run| run.iter().find(|one| one.drill.name == *name));
    Comparison { runs, drills: names.into_iter().map(|name| compared(name, of(name))).collect() }
}

fn compared(name: &DrillName, drills: [Option<&Timed>; 2]) -> ComparedDrill {
    let mut compared = ComparedDrill {
        drill: name.clone(),
        speeds: drills.map(|one| one.map(|it| it.speed)),
        verdicts: drills.map(|one| one.map(|it| it.drill.verdict)),
        allowed: None,
        segments: Vec::new(),
        cannot_tell: None,
    };
    let [Some(one), Some(other)] = drills else {
        compared.cannot_tell = Some("it ran in one of the two runs only".to_owned());
        return compared;
    };
    let (Some(interval), Some(others)) = (scrape_interval(&one.drill), scrape_interval(&other.drill)) else {
        compared.cannot_tell = Some("one of the two records has no scrape interval".to_owned());
        return compared;
    };
    let allowed = INTERVALS * interval.max(others);
    compared.allowed = Some(allowed);
    compared.segments = segments([one, other], allowed);
    if compared.segments.is_empty() {
        compared.cannot_tell = Some("it has no segments".to_owned());
    }
    compared
}

/// The longest interval at which a target is scraped when deployed; none when nothing was.
fn scrape_interval(drill: &DrillRecord) -> Option<f64> {
    drill.scraped.iter().map(|target| target.interval_seconds).max_by(f64::total_cmp)
}

/// Every segment of either, in the order of the first.
fn segments(drills: [&Timed; 2], allowed: f64) -> Vec<ComparedSegment> {
    let mut keys: Vec<(String, &str)> = Vec::new();
    for (expectation, segment) in drills.iter().flat_map(|one| observed(&one.drill)) {
        let key = (told(expectation), segment.name.as_str());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys.into_iter()
        .map(|(expectation, name)| {
            let found = drills.map(|one| {
                let mut all = observed(&one.drill);
                let found = all.find(|(of, segment)| told(of) == expectation && segment.name == name);
                found.map(|(of, segment)| (segment, switching(&one.drill.faults, of, name), one.speed))
            });
            let in_drill_time = found.map(|one| {
                let (segment, unscaled, speed) = one?;
                Some((segment.observed? - unscaled) * f64::from(speed))
            });
            let apart = match in_drill_time {
                [Some(one), Some(other)] => Some((one - other).abs()),
                [None, _] | [_, None] => None,
            };
            ComparedSegment {
                expectation,
                name: name.to_owned(),
                observed: in_drill_time,
                unscaled: found.map(|one| one.map_or(0.0, |(_, unscaled, _)| unscaled)),
                apart,
                agrees: apart.map(|apart| apart <= allowed),
            }
        })
        .collect()
}

fn told(expectation: &ExpectationRecord) -> String {
    format!("{} {}", expectation.kind, expectation.about)
}

fn observed(drill: &DrillRecord) -> impl Iterator<Item = (&ExpectationRecord, &Segment)> {
    drill
        .expectations
        .iter()
        .flat_map(|expectation| expectation.segments.iter().map(move |segment| (expectation, segment)))
}

/// Wall seconds that the switch of the fault took, for a segment that counts from asking it to begin or to end.
fn switching(faults: &[FaultRecord], expectation: &ExpectationRecord, segment: &str) -> f64 {
    let began = expectation.timeline.iter().find(|point| point.what == FAULT_BEGAN);
    let fault = began.and_then(|began| faults.iter().find(|fault| fault.asked == began.at));
    let Some(fault) = fault else { return 0.0 };
    let took = if segment.starts_with("cause to ") {
        fault.injected.map(|injected| injected.duration_since(fault.asked))
    } else if segment.starts_with("cause ended to ") {
        fault.undone.zip(fault.undo_asked).map(|(undone, asked)| undone.duration_since(asked))
    } else {
        None
    };
    took.map_or(0.0, |took| took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use firedrill_record::{LoadRecord, ScrapedTarget, TimelinePoint, Verdict};
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    const ALERT: &str = "HighErrorRate{service=\"user\"}";

    fn after(seconds: f64) -> Timestamp {
        let began: Timestamp = "2026-11-22T14:23:06Z".parse().unwrap();
        began + SignedDuration::from_secs_f64(seconds)
    }

    /// A drill whose switch took `switching` wall seconds, both ways.
    fn timed(speed: u32, switching: f64, observed: &[(&str, Option<f64>)]) -> Timed {
        let mut alert = ExpectationRecord::held("alert", ALERT, "in time");
        alert.segments = observed
            .iter()
            .map(|(name, observed)| Segment {
                name: (*name).into(),
                earliest: 0.0,
                latest: 1000.0,
                observed: *observed,
                computed_from: String::new(),
            })
            .collect();
        alert.timeline = vec![TimelinePoint {
            what: FAULT_BEGAN.into(),
            at: after(10.0),
            drill_time: 0.0,
            source: "harness".into(),
        }];
        let drill = DrillRecord {
            name: "errors".parse().unwrap(),
            about: String::new(),
            file: String::new(),
            load_began: None,
            seconds: 30.0,
            verdict: Verdict::Held,
            must_be: None,
            passed: true,
            faults: vec![FaultRecord {
                what: "errors 30% on user".into(),
                asked: after(10.0),
                injected: Some(after(10.0 + switching)),
                undo_asked: Some(after(20.0)),
                undone: Some(after(20.0 + switching)),
                proof: None,
                witnessed: None,
                problem: None,
            }],
            load: LoadRecord::default(),
            parts: Vec::new(),
            scraped: vec![ScrapedTarget {
                job: "services".into(),
                service: "user".into(),
                instance: "user:3002".into(),
                series: 300,
                interval_seconds: 15.0,
            }],
            expectations: vec![alert],
        };
        Timed { speed, drill }
    }

    fn both(one: &Timed, other: &Timed) -> ComparedDrill {
        let runs = ["20261122t142300z-7f3a", "20261122t142300z-7f3b"].map(|id| id.parse().unwrap());
        let mut found = compare(runs, [std::slice::from_ref(one), std::slice::from_ref(other)]);
        assert_eq!(found.drills.len(), 1);
        found.drills.remove(0)
    }

    #[test]
    fn one_segment_at_two_speeds_is_compared_in_drill_time_without_the_switch() {
        let slow = timed(1, 0.5, &[("cause to pending", Some(60.5)), ("pending to firing", Some(300.0))]);
        let fast = timed(60, 0.5, &[("cause to pending", Some(1.75)), ("pending to firing", Some(5.25))]);
        let found = both(&slow, &fast);
        // (60.5 − 0.5)·1 = 60 and (1.75 − 0.5)·60 = 75; 300 and 5.25·60 = 315.
        assert_eq!(found.segments[0].observed, [Some(60.0), Some(75.0)]);
        assert_eq!(found.segments[1].observed, [Some(300.0), Some(315.0)]);
        assert!(found.segments[1].unscaled.iter().all(|seconds| seconds.abs() < 1e-9));
        assert_eq!((found.allowed, found.agrees()), (Some(30.0), Some(true)));
    }

    #[test]
    fn more_than_two_scrape_intervals_apart_differ() {
        let slow = timed(1, 0.0, &[("pending to firing", Some(300.0))]);
        let fast = timed(60, 0.0, &[("pending to firing", Some(5.6))]);
        let found = both(&slow, &fast);
        assert!((found.segments[0].apart.unwrap() - 36.0).abs() < 1e-9);
        assert_eq!(found.agrees(), Some(false));
    }

    #[test]
    fn the_end_of_a_cause_is_compared_without_what_its_switch_took() {
        let slow = timed(1, 1.0, &[("cause ended to resolved", Some(241.0))]);
        let fast = timed(60, 1.0, &[("cause ended to resolved", Some(5.0))]);
        assert_eq!(both(&slow, &fast).segments[0].observed, [Some(240.0), Some(240.0)]);
    }

    #[test]
    fn what_one_run_did_not_see_cannot_be_told() {
        let slow = timed(1, 0.0, &[("pending to firing", Some(300.0))]);
        let unseen = both(&slow, &timed(60, 0.0, &[("pending to firing", None)]));
        assert_eq!((unseen.segments[0].agrees, unseen.agrees()), (None, None));
        let without = both(&slow, &timed(60, 0.0, &[]));
        assert_eq!((without.segments[0].agrees, without.agrees()), (None, None));
        let mut unscraped = timed(60, 0.0, &[("pending to firing", Some(5.0))]);
        unscraped.drill.scraped.clear();
        assert_eq!(both(&slow, &unscraped).agrees(), None);
    }

    #[test]
    fn another_verdict_differs_however_the_times_are() {
        let slow = timed(1, 0.0, &[("pending to firing", Some(300.0))]);
        let mut fast = timed(60, 0.0, &[("pending to firing", Some(5.0))]);
        fast.drill.verdict = Verdict::Violated;
        assert_eq!(both(&slow, &fast).agrees(), Some(false));
    }

    #[test]
    fn a_drill_of_one_run_only_cannot_be_told() {
        let mut other = timed(60, 0.0, &[("pending to firing", Some(5.0))]);
        other.drill.name = "kills".parse().unwrap();
        let runs = ["20261122t142300z-7f3a", "20261122t142300z-7f3b"].map(|id| id.parse().unwrap());
        let slow = timed(1, 0.0, &[("pending to firing", Some(300.0))]);
        let found = compare(runs, [&[slow], &[other]]);
        assert_eq!((found.drills.len(), found.agrees()), (2, None));
    }
}
