//! Whether the host was too busy for a late step to say anything: the harness's own timers rang late, too, or scrapes of
//! most targets took longer than they do.

use jiff::Timestamp;

use super::steps::Step;
use crate::deadline::{Clockwork, TIMER_LATE};
use crate::evidence::Evidence;

/// Timers that a step passes at most: a scrape's, an evaluation's, that of what sends, and that of a group.
const TIMERS: f64 = 4.0;

/// Why `step`, which ended late by `by` seconds, decides nothing; none when it does. Lateness of the host makes a step
/// late by that of each timer it passes and by an evaluation that is left out because of it, and a delivery by the tick of
/// its group that it misses: what is later than that has another cause.
pub(super) fn explains(step: &Step, by: f64, clockwork: &Clockwork, evidence: &Evidence) -> Option<String> {
    let observed = step.observed?;
    let late = |worst: f64| TIMERS * worst + clockwork.evaluation;
    let missed_a_tick = |worst: f64| {
        step.ends_as.ends_with("delivered") && (by - clockwork.group_interval).abs() <= late(worst)
    };
    let timers = latest_timer(evidence, step.start, observed);
    let scrapes = slower_scrapes(evidence, step.start, observed);
    let worst = timers.max(scrapes);
    (worst > TIMER_LATE && (by <= late(worst) || missed_a_tick(worst))).then(|| {
        format!(
            "the host was busy: meanwhile the harness's own timers rang up to {timers:.2}s late, and scrapes of half of all \
             targets took {scrapes:.2}s longer than they do; {TIMER_LATE}s are allowed for"
        )
    })
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
    use crate::checks::fixtures::{at, series};
    use crate::evidence::{LatenessSample, Sample};

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
}
