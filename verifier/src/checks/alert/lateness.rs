//! Whether the host was too busy for a late step to say anything: the harness's own timers rang late, too.

use jiff::Timestamp;

use super::steps::Step;
use crate::deadline::TIMER_LATE;
use crate::evidence::Evidence;

/// Timers that a step passes at most: a scrape's, an evaluation's, that of what sends, and that of a group.
const TIMERS: f64 = 4.0;

/// Why `step`, which ended late by `by` seconds, decides nothing; none when it does. Lateness of the host makes a step
/// late by that of each timer it passes and by an evaluation, `evaluation` seconds, that is left out because of it: what
/// is later than that has another cause.
pub(super) fn explains(step: &Step, by: f64, evaluation: f64, evidence: &Evidence) -> Option<String> {
    let observed = step.observed?;
    let worst = worst_between(evidence, step.start, observed);
    (worst > TIMER_LATE && by <= TIMERS * worst + evaluation).then(|| {
        format!(
            "the host was busy: the harness's own timers rang up to {worst:.2}s late meanwhile, {TIMER_LATE}s are allowed for"
        )
    })
}

/// The latest ring of any interval that is not wholly outside this time; 0 where nothing is known.
fn worst_between(evidence: &Evidence, from: Timestamp, until: Timestamp) -> f64 {
    let begins = std::iter::once(evidence.began).chain(evidence.lateness.iter().map(|sample| sample.at));
    evidence
        .lateness
        .iter()
        .zip(begins)
        .filter(|(sample, begin)| sample.at >= from && *begin <= until)
        .map(|(sample, _)| sample.worst)
        .fold(0.0, f64::max)
}
