//! What was found over the trials of a drill, from their records alone.

use std::collections::BTreeSet;

use firedrill_record::{
    DrillName, DrillRecord, ExpectationRecord, Reason, Segment, Spread, TriedDrill, TriedSegment, Verdict,
    VerdictCount,
};

use super::busy_loops::PART;

/// What was found of `drill` over `trials`, each beside `busy_loops` busy loops; `drills` are those of the run.
pub(crate) fn findings(
    drill: &DrillName,
    busy_loops: u32,
    trials: &[DrillName],
    drills: &[DrillRecord],
) -> TriedDrill {
    let judged: Vec<&DrillRecord> = drills.iter().filter(|one| trials.contains(&one.name)).collect();
    let verdicts = verdicts(&judged);
    let count = |is_meant: fn(&VerdictCount) -> bool| {
        verdicts.iter().filter(|one| is_meant(one)).map(|one| one.trials).sum()
    };
    TriedDrill {
        drill: drill.clone(),
        busy_loops,
        trials: trials.to_vec(),
        judged: whole(judged.len()),
        as_they_must_be: count(|one| one.passed),
        false_verdicts: count(|one| !one.passed && decides(one.verdict)),
        cannot_tell: count(|one| !one.passed && !decides(one.verdict)),
        seconds: Spread::of(judged.iter().map(|one| one.seconds)),
        busy_processors: Spread::of(judged.iter().filter_map(|one| busy_processors(one))),
        segments: segments(&judged),
        verdicts,
    }
}

/// Whether `verdict` says that it was so or that it was not; the others say that nobody can tell.
fn decides(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Held | Verdict::Violated => true,
        Verdict::Inconclusive | Verdict::NotReached => false,
    }
}

fn whole(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The commonest first.
fn verdicts(judged: &[&DrillRecord]) -> Vec<VerdictCount> {
    let mut counts: Vec<VerdictCount> = Vec::new();
    for one in judged {
        let reasons: BTreeSet<Reason> = one
            .expectations
            .iter()
            .filter(|expectation| expectation.verdict == one.verdict)
            .filter_map(|expectation| expectation.reason)
            .collect();
        let reasons: Vec<Reason> = reasons.into_iter().collect();
        let known = counts.iter_mut().find(|count| {
            count.verdict == one.verdict && count.reasons == reasons && count.passed == one.passed
        });
        match known {
            Some(count) => count.trials += 1,
            None => {
                counts.push(VerdictCount { verdict: one.verdict, reasons, passed: one.passed, trials: 1 });
            }
        }
    }
    counts.sort_by_key(|count| std::cmp::Reverse(count.trials));
    counts
}

fn busy_processors(one: &DrillRecord) -> Option<f64> {
    let used = one.parts.iter().find(|part| part.part == PART && part.seconds > 0.0)?;
    Some(used.cpu_seconds / used.seconds)
}

/// One line for each expectation and segment, in the order in which they are first seen.
fn segments(judged: &[&DrillRecord]) -> Vec<TriedSegment> {
    let mut keys: Vec<(&str, &str, &str)> = Vec::new();
    for (expectation, segment) in judged.iter().flat_map(|one| counted(one)) {
        let key = (expectation.kind.as_str(), expectation.about.as_str(), segment.name.as_str());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let of = |(kind, about, name): (&str, &str, &str)| -> Vec<&Segment> {
        judged
            .iter()
            .flat_map(|one| counted(one))
            .filter(|(one, segment)| one.kind == kind && one.about == about && segment.name == name)
            .map(|(_, segment)| segment)
            .collect()
    };
    // A segment that only a few trials have must not come between those of the alert before it.
    let mut grouped: Vec<(&str, &str, &str)> = keys.clone();
    grouped.sort_by_key(|key| keys.iter().position(|one| (one.0, one.1) == (key.0, key.1)));
    grouped.into_iter().map(|key| tried(key, &of(key))).collect()
}

fn tried((kind, about, name): (&str, &str, &str), segments: &[&Segment]) -> TriedSegment {
    let ends = |of: fn(&Segment) -> f64| segments.iter().map(move |segment| of(segment));
    TriedSegment {
        kind: kind.to_owned(),
        about: about.to_owned(),
        name: name.to_owned(),
        earliest: ends(|one| one.earliest).fold(f64::INFINITY, f64::min),
        latest: ends(|one| one.latest).fold(f64::NEG_INFINITY, f64::max),
        widest: ends(|one| one.latest - one.earliest).fold(0.0, f64::max),
        trials: whole(segments.len()),
        inside: whole(segments.iter().filter(|segment| segment.inside()).count()),
        observed: Spread::of(segments.iter().filter_map(|segment| segment.observed)),
    }
}

/// The segments of `one` that count. What was observed always does; what was not, only where the expectation is decided:
/// of a trial that was cut short nobody knows whether the rest would have come.
fn counted(one: &DrillRecord) -> impl Iterator<Item = (&ExpectationRecord, &Segment)> {
    one.expectations.iter().flat_map(|expectation| {
        let decided = decides(expectation.verdict);
        expectation
            .segments
            .iter()
            .filter(move |segment| decided || segment.observed.is_some())
            .map(move |segment| (expectation, segment))
    })
}

#[cfg(test)]
mod tests {
    use firedrill_record::{FirstLastMost, LoadRecord, PartUse};

    use super::*;

    const ALERT: &str = "HighErrorRate{service=\"user\"}";

    fn segment(name: &str, window: (f64, f64), observed: Option<f64>) -> Segment {
        let (earliest, latest) = window;
        Segment { name: name.into(), earliest, latest, observed, computed_from: String::new() }
    }

    fn alert(reason: Option<Reason>, segments: Vec<Segment>) -> ExpectationRecord {
        let record = match reason {
            None => ExpectationRecord::held("alert", ALERT, "in time"),
            Some(reason) => ExpectationRecord::because("alert", ALERT, reason, "not so"),
        };
        ExpectationRecord { segments, ..record }
    }

    fn name(number: u32) -> DrillName {
        format!("errors-{number:04}").parse().unwrap()
    }

    fn trial(number: u32, expectations: Vec<ExpectationRecord>) -> DrillRecord {
        let verdict = Verdict::worst(expectations.iter().map(|one| one.verdict));
        DrillRecord {
            name: name(number),
            about: String::new(),
            file: String::new(),
            load_began: None,
            seconds: 20.0 + f64::from(number),
            verdict,
            must_be: None,
            passed: DrillRecord::passes(verdict, None, &expectations),
            faults: Vec::new(),
            load: LoadRecord::default(),
            parts: Vec::new(),
            scraped: Vec::new(),
            expectations,
        }
    }

    fn found(drills: &[DrillRecord], asked: u32) -> TriedDrill {
        let trials: Vec<DrillName> = (1..=asked).map(name).collect();
        findings(&"errors".parse().unwrap(), 0, &trials, drills)
    }

    #[test]
    fn each_observation_is_held_against_the_window_of_its_own_trial() {
        let held = |number, window, observed| {
            trial(number, vec![alert(None, vec![segment("cause to pending", window, Some(observed))])])
        };
        let drills = [held(1, (0.5, 1.5), 1.0), held(2, (0.7, 1.9), 0.8), held(3, (0.7, 1.9), 0.6)];
        let found = found(&drills, 3);
        let [one] = found.segments.as_slice() else { panic!("{:?}", found.segments) };
        assert_eq!((one.kind.as_str(), one.about.as_str(), one.trials), ("alert", ALERT, 3));
        assert_eq!((one.earliest, one.latest), (0.5, 1.9));
        assert!((one.widest - 1.2).abs() < 1e-9);
        assert_eq!(one.inside, 2, "0.6 is inside the window of the first trial only");
        assert_eq!(one.observed, Some(Spread { least: 0.6, median: 0.8, greatest: 1.0 }));
    }

    #[test]
    fn a_verdict_that_decides_wrongly_is_false_and_one_that_does_not_decide_cannot_tell() {
        let quiet = |reason| ExpectationRecord::because("quiet", "nothing else", reason, "fired");
        let drills = [
            trial(1, vec![alert(None, Vec::new())]),
            trial(2, vec![alert(Some(Reason::TooLate), Vec::new())]),
            trial(3, vec![alert(None, Vec::new()), quiet(Reason::HostBusy)]),
            trial(4, vec![alert(None, Vec::new())]),
        ];
        let found = found(&drills, 6);
        assert_eq!((found.trials.len(), found.judged), (6, 4));
        assert_eq!((found.as_they_must_be, found.false_verdicts, found.cannot_tell), (2, 1, 1));
        let told: Vec<String> = found
            .verdicts
            .iter()
            .map(|one| format!("{} {} {:?}", one.trials, one.verdict, one.reasons))
            .collect();
        assert_eq!(told, ["2 held []", "1 violated [TooLate]", "1 inconclusive [HostBusy]"]);
        assert_eq!(found.seconds, Some(Spread { least: 21.0, median: 22.5, greatest: 24.0 }));
    }

    #[test]
    fn a_drill_that_must_be_violated_has_a_false_verdict_when_it_holds() {
        let must = firedrill_record::MustBe { verdict: Verdict::Violated, reason: Some(Reason::Muted) };
        let judged = |number, reason| {
            let expectations = vec![alert(reason, Vec::new())];
            let plain = trial(number, expectations);
            let passed = DrillRecord::passes(plain.verdict, Some(must), &plain.expectations);
            DrillRecord { must_be: Some(must), passed, ..plain }
        };
        let found =
            found(&[judged(1, Some(Reason::Muted)), judged(2, None), judged(3, Some(Reason::TooLate))], 3);
        assert_eq!((found.as_they_must_be, found.false_verdicts, found.cannot_tell), (1, 2, 0));
    }

    #[test]
    fn what_was_never_seen_is_outside_unless_the_trial_was_cut_short() {
        let missing = |number, reason| {
            trial(number, vec![alert(Some(reason), vec![segment("firing to received", (0.0, 0.4), None)])])
        };
        let found = found(&[missing(1, Reason::NotReceived), missing(2, Reason::Interrupted)], 2);
        let [one] = found.segments.as_slice() else { panic!("{:?}", found.segments) };
        assert_eq!((one.trials, one.inside, one.observed), (1, 0, None));
        assert_eq!((found.false_verdicts, found.cannot_tell), (1, 1));
    }

    #[test]
    fn segments_of_one_alert_stay_together() {
        let pending = || segment("cause to pending", (0.0, 1.0), Some(0.5));
        let delivered = || segment("received to delivered", (0.0, 1.0), Some(0.5));
        let gateway = || ExpectationRecord { about: "other".into(), ..alert(None, vec![pending()]) };
        let drills = [
            trial(1, vec![alert(Some(Reason::NotReceived), vec![pending()]), gateway()]),
            trial(2, vec![alert(None, vec![pending(), delivered()]), gateway()]),
        ];
        let found = found(&drills, 2);
        let order: Vec<(&str, &str)> =
            found.segments.iter().map(|one| (one.about.as_str(), one.name.as_str())).collect();
        assert_eq!(
            order,
            [(ALERT, "cause to pending"), (ALERT, "received to delivered"), ("other", "cause to pending")]
        );
    }

    #[test]
    fn processors_of_the_busy_loops_are_those_the_kernel_counted() {
        let quantity = FirstLastMost { first: 1, last: 1, most: 1 };
        let used = PartUse {
            part: PART.to_owned(),
            pids: vec![7],
            seconds: 20.0,
            cpu_seconds: 30.0,
            resident_bytes: quantity,
            open_fds: quantity,
        };
        let beside = DrillRecord { parts: vec![used], ..trial(1, vec![alert(None, Vec::new())]) };
        let processors = found(&[beside], 1).busy_processors.unwrap();
        assert!((processors.median - 1.5).abs() < 1e-9);
    }

    #[test]
    fn nothing_judged_finds_nothing() {
        let found = found(&[], 2);
        assert_eq!((found.judged, found.seconds, found.segments.len()), (0, None, 0));
    }
}
