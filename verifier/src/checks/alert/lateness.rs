//! Whether the host was too busy for a step that ended outside its window, or did not end, to say anything: the harness's
//! own timers rang late, scrapes of most targets took longer than they do, or no processor was idle.

use std::collections::BTreeMap;

use firedrill_drill::Fault;
use jiff::{SignedDuration, Timestamp};

use super::steps::Step;
use crate::deadline::{Clockwork, TIMER_LATE};
use crate::evidence::{Evidence, PartSample};
use crate::host::Usage;

/// Timers that a step passes at most: a scrape's, an evaluation's, that of what sends, and that of a group.
const TIMERS: f64 = 4.0;

/// Processors of which so much is used have nothing left: who needs one waits. Measured beside four busy loops on two:
/// 0.998 and more. The harness's own timers, which need next to nothing, then often ring in time all the same.
const SATURATED: f64 = 0.95;

/// More than the time between two looks at processes.
const OF_PROCESSES: SignedDuration = SignedDuration::from_millis(1_500);

/// Why `step`, which ended `observed` seconds after its begin and outside its window, decides nothing; none when it does.
///
/// Lateness of the host makes a step late by that of each timer it passes and by the evaluations that are left out because
/// of it, and a delivery by the tick of its group that it misses: what is later than that has another cause. It makes a step
/// early when what began it was late: as far as the step says. Where a scrape that feeds the rule was lost while the host
/// was late, the alert may have been reset by that.
pub(super) fn explains(
    step: &Step,
    observed: f64,
    clockwork: &Clockwork,
    evidence: &Evidence,
) -> Option<String> {
    let until = step.observed?;
    // What made it early lies up to a scrape and an evaluation before.
    let before =
        SignedDuration::try_from_secs_f64(clockwork.scrape + clockwork.evaluation).unwrap_or_default();
    let since = step.since.min(until.checked_sub(before).unwrap_or(until));
    let lateness = Lateness::between(since, until, evidence)?;
    let (earliest, latest) = step.window.span_of(observed);
    let delays = lateness.delays(step, until, clockwork);
    let (by, ticks_at) = (observed - latest, clockwork.group_interval);
    let explained = if observed < earliest {
        let by = earliest - observed;
        // Told at the tick before, which was late itself and so came after what it told of.
        by <= step.early || (is_delivery(step) && step.since < step.start && ticks_at - by <= delays)
    } else if step.exact {
        by <= step.lost
    } else {
        by <= delays + step.lost || (is_delivery(step) && (by - ticks_at).abs() <= delays)
    };
    explained.then(|| lateness.to_string())
}

/// Until when `step`, whose window is over, may still end because of the lateness of the host, and what is known of that;
/// none when the host was not late. What comes by then is for [`explains`]; nothing later is excused.
pub(super) fn may_still_end(
    step: &Step,
    clockwork: &Clockwork,
    evidence: &Evidence,
) -> Option<(Timestamp, String)> {
    let latest = step.latest();
    let lateness = Lateness::between(step.since, latest, evidence)?;
    let missed_tick = if is_delivery(step) { clockwork.group_interval } else { 0.0 };
    let more =
        SignedDuration::try_from_secs_f64(lateness.delays(step, latest, clockwork) + missed_tick + step.lost)
            .ok()?;
    Some((latest.checked_add(more).ok()?, lateness.to_string()))
}

/// Why something that was `late` by so many seconds, from `from` on, decides nothing: as for a step, where evaluations are
/// `evaluation` seconds apart. None when it does.
pub(super) fn explains_delay(
    from: Timestamp,
    late: f64,
    evaluation: f64,
    evidence: &Evidence,
) -> Option<String> {
    let until = from.checked_add(SignedDuration::try_from_secs_f64(late).ok()?).ok()?;
    let lateness = Lateness::between(from, until, evidence)?;
    (late <= lateness.delay(evaluation)).then(|| lateness.to_string())
}

fn is_delivery(step: &Step) -> bool {
    step.ends_as.ends_with("delivered")
}

/// What the host did to timers and requests for some time, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Lateness {
    /// By which the latest of the harness's own timers rang late.
    timers: f64,
    /// By which scrapes of half of all targets took longer than they do.
    scrapes: f64,
    /// By which half of all groups of rules were not evaluated for longer than their interval.
    stalls: f64,
    /// Whether no processor was idle.
    saturated: bool,
}

impl Lateness {
    /// That of a time; none when it was no more than windows allow for. That rules were not evaluated is no sign of a busy
    /// host by itself.
    fn between(from: Timestamp, until: Timestamp, evidence: &Evidence) -> Option<Self> {
        let lateness = Self {
            timers: latest_timer(evidence, from, until),
            scrapes: slower_scrapes(evidence, from, until),
            stalls: stalled_groups(evidence, from, until),
            saturated: used(evidence, from, until).is_some_and(|used| used >= SATURATED),
        };
        (lateness.saturated || lateness.timers.max(lateness.scrapes) > TIMER_LATE).then_some(lateness)
    }

    /// By how much one timer may have been late: where no processor was idle at least by what windows allow for once.
    fn of_a_timer(&self) -> f64 {
        let least = if self.saturated { TIMER_LATE } else { 0.0 };
        self.timers.max(self.scrapes).max(least)
    }

    /// By how much it may delay the end of `step` until `until`. Each tick of a group is counted from when the one before
    /// rang, so that lateness adds up from one to the next; after a whole interval it is the next one's.
    fn delays(&self, step: &Step, until: Timestamp, clockwork: &Clockwork) -> f64 {
        let timer = self.of_a_timer();
        let waited = until.duration_since(step.since).as_secs_f64();
        let interval = clockwork.group_interval;
        let ticks = if step.since < step.start && interval > 0.0 { (waited / interval).floor() } else { 0.0 };
        self.delay(clockwork.evaluation) + (ticks * timer).min(interval)
    }

    /// By how much it may delay what passes each timer once, where evaluations are `evaluation` seconds apart.
    fn delay(&self, evaluation: f64) -> f64 {
        TIMERS * self.of_a_timer() + self.stalls.max(evaluation)
    }
}

impl std::fmt::Display for Lateness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { timers, scrapes, stalls, saturated } = self;
        write!(
            f,
            "the host was busy: meanwhile the harness's own timers rang up to {timers:.2}s late, and scrapes of half of all \
             targets took {scrapes:.2}s longer than they do; {TIMER_LATE}s are allowed for"
        )?;
        if *stalls > 0.0 {
            write!(f, "; half of all groups of rules were evaluated {stalls:.2}s late")?;
        }
        if *saturated {
            write!(f, "; no processor was idle")?;
        }
        Ok(())
    }
}

/// The share of all processors that was used at this time; none where it is not known. Not by a drill's own burner: it
/// has the lowest priority, so that nobody waits for it. Processes are looked at once a second, so that beside a burner
/// the time is taken wider.
fn used(evidence: &Evidence, from: Timestamp, until: Timestamp) -> Option<f64> {
    let (wide_from, wide_until) = (from - OF_PROCESSES, until + OF_PROCESSES);
    let burns = |one: &PartSample| one.part == Fault::BURNER && (wide_from..=wide_until).contains(&one.at);
    if evidence.parts.iter().any(burns) {
        return Usage::between(evidence, wide_from, wide_until).map(|usage| usage.without_burner());
    }
    let begins = std::iter::once(evidence.began).chain(evidence.host.iter().map(|sample| sample.at));
    let meanwhile =
        evidence.host.iter().zip(begins).filter(|(sample, begin)| sample.at >= from && *begin <= until);
    let (mut used, mut lasted) = (0.0, 0.0);
    for (sample, begin) in meanwhile {
        let seconds = sample.at.duration_since(begin).as_secs_f64();
        used += sample.busy * seconds;
        lasted += seconds;
    }
    (lasted > 0.0).then(|| used / lasted)
}

/// By how many seconds groups of rules were evaluated later than due at this time: the most of each group, of these the one
/// in the middle, so that a group that is slow by itself shows no busy host. 0 where nothing is known.
fn stalled_groups(evidence: &Evidence, from: Timestamp, until: Timestamp) -> f64 {
    let Ok(live) = &evidence.configuration else { return 0.0 };
    let intervals: BTreeMap<&str, f64> =
        live.rules.iter().map(|rule| (rule.group.as_str(), rule.interval)).collect();
    if intervals.len() < 2 {
        return 0.0;
    }
    let longest = intervals.into_iter().map(|(group, interval)| {
        let then =
            evidence.stalls.iter().filter(|one| one.group == group && one.from <= until && one.until >= from);
        let late = then.map(|one| one.until.duration_since(one.from).as_secs_f64() - interval);
        late.fold(0.0, f64::max)
    });
    let mut longest: Vec<f64> = longest.collect();
    longest.sort_by(f64::total_cmp);
    // Of an even number the lesser of the two in the middle: more than half must be late.
    longest.get((longest.len() - 1) / 2).copied().unwrap_or(0.0)
}

/// The latest ring of any interval that is not wholly outside this time; 0 where nothing is known.
fn latest_timer(evidence: &Evidence, from: Timestamp, until: Timestamp) -> f64 {
    let begins = std::iter::once(evidence.began).chain(evidence.lateness.iter().map(|sample| sample.at));
    evidence
        .lateness
        .iter()
        .zip(begins)
        .filter(|(sample, begin)| sample.at >= from && *begin <= until)
        .map(|(sample, _)| sample.worst)
        .fold(0.0, f64::max)
}

/// How much longer than usual scrapes took that went on at this time: the longest one of each target, of these the one in
/// the middle, so that neither one slow target nor a fault on one shows a busy host. 0 where nothing is known.
fn slower_scrapes(evidence: &Evidence, from: Timestamp, until: Timestamp) -> f64 {
    let Ok(targets) = &evidence.scrapes else { return 0.0 };
    let (from, until) = (from.as_millisecond() as f64, until.as_millisecond() as f64);
    let longest = targets.iter().filter_map(|target| {
        let then = target.samples.iter().filter(|scrape| {
            let begin = scrape.at_ms as f64;
            begin <= until && begin + scrape.value * 1000.0 >= from
        });
        then.map(|scrape| scrape.value).reduce(f64::max)
    });
    let usual = targets.iter().flat_map(|target| &target.samples).map(|scrape| scrape.value);
    (middle(longest.collect()) - middle(usual.collect())).max(0.0)
}

/// The value in the middle; 0 of none.
fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixtures::{at, live_rule, series};
    use crate::evidence::{HostSample, LatenessSample, LiveConfiguration, Sample, Stall};

    /// Scrapes of three targets every 250 ms that take 10 ms, those at 5 s as long as said.
    fn scraped(at_five: [f64; 3]) -> Evidence {
        let mut evidence = Evidence::begun(at(0));
        let target = |(index, taken): (usize, f64)| {
            let mut one = series("scrape_duration_seconds", &[("instance", &index.to_string())], 0.0);
            let value = |at_ms| if at_ms == 5_000 { taken } else { 0.01 };
            one.samples =
                (0..40).map(|n| n * 250).map(|at_ms| Sample { at_ms, value: value(at_ms) }).collect();
            one
        };
        evidence.scrapes = Ok(at_five.into_iter().enumerate().map(target).collect());
        evidence
    }

    #[test]
    fn scrapes_of_most_targets_tell_of_a_busy_host_and_those_of_one_do_not() {
        let slower = |evidence: &Evidence, from, until| slower_scrapes(evidence, at(from), at(until));
        let busy = scraped([0.4, 0.3, 0.01]);
        assert!((slower(&busy, 5_100, 5_600) - 0.29).abs() < 1e-9, "it still went on");
        assert!(slower(&busy, 5_450, 6_000).abs() < 1e-9, "it was over");
        assert!(slower(&scraped([0.4, 0.01, 0.01]), 5_100, 5_600).abs() < 1e-9);
        assert!(slower(&Evidence::begun(at(0)), 0, 1).abs() < 1e-9);
    }

    #[test]
    fn the_latest_timer_is_that_of_the_intervals_that_the_step_touches() {
        let mut evidence = Evidence::begun(at(0));
        evidence.lateness = [(200, 0.1), (400, 0.2), (600, 0.3), (800, 0.4)]
            .map(|(ms, worst)| LatenessSample { at: at(ms), worst })
            .into();
        assert!((latest_timer(&evidence, at(450), at(550)) - 0.3).abs() < 1e-9);
        assert!((latest_timer(&evidence, at(350), at(550)) - 0.3).abs() < 1e-9);
        assert!((latest_timer(&evidence, at(700), at(900)) - 0.4).abs() < 1e-9);
        assert!(latest_timer(&Evidence::begun(at(0)), at(0), at(1)).abs() < 1e-9);
    }

    #[test]
    fn groups_of_rules_that_stand_still_together_are_late_and_one_of_them_is_not() {
        let stalled = |groups: &[&str]| {
            let mut evidence = Evidence::begun(at(0));
            let rules = ["a", "b", "c"]
                .map(|group| crate::evidence::LiveRule { group: group.to_owned(), ..live_rule(group) });
            evidence.configuration =
                Ok(LiveConfiguration { rules: rules.into(), ..crate::checks::fixtures::configuration() });
            evidence.stalls = groups
                .iter()
                .map(|group| Stall { group: (*group).to_owned(), from: at(1_000), until: at(1_750) })
                .collect();
            stalled_groups(&evidence, at(1_500), at(2_000))
        };
        assert!((stalled(&["a", "b", "c"]) - 0.5).abs() < 1e-9);
        assert!((stalled(&["a", "c"]) - 0.5).abs() < 1e-9);
        assert!(stalled(&["a"]).abs() < 1e-9);
    }

    #[test]
    fn a_host_without_an_idle_processor_is_late_although_no_timer_was() {
        let lateness = |busy: f64| {
            let mut evidence = Evidence::begun(at(0));
            evidence.host = [200, 400, 600].map(|ms| HostSample { at: at(ms), busy, waiting: 0.0 }).into();
            Lateness::between(at(100), at(500), &evidence)
        };
        assert_eq!(lateness(0.9), None);
        let busy = lateness(1.0).unwrap();
        assert!(
            (busy.of_a_timer() - TIMER_LATE).abs() < 1e-9
                && busy.to_string().contains("no processor was idle")
        );
    }

    #[test]
    fn processors_that_a_drill_burns_itself_delay_nobody() {
        let lateness = |part: &str| {
            let mut evidence = Evidence::begun(at(0));
            evidence.processors = Some(2);
            let looks = (0..=30).map(|n| n * 200);
            evidence.host = looks.map(|ms| HostSample { at: at(ms), busy: 1.0, waiting: 0.0 }).collect();
            let sample = |second: i64| PartSample {
                at: at(second * 1_000),
                part: part.into(),
                pid: 7,
                resident_bytes: 0,
                cpu_ms: u64::try_from(second).unwrap() * 1_800,
                open_fds: 0,
            };
            evidence.parts = (0..=6).map(sample).collect();
            Lateness::between(at(3_000), at(3_200), &evidence)
        };
        assert_eq!(lateness(Fault::BURNER), None);
        assert!(lateness("somebody").is_some());
    }
}
