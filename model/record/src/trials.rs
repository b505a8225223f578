//! What is found over trials: the same drill again and again on one stack, and the figures of its windows and verdicts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DrillName, Reason, Verdict};

/// The trials of one drill under one condition: alone, or beside busy loops.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TriedDrill {
    /// The drill that was repeated.
    pub drill: DrillName,
    /// Busy loops that ran beside each trial; 0 for none.
    pub busy_loops: u32,
    /// The names under which its trials are among the run's drills, in their order; those that did not run, too.
    pub trials: Vec<DrillName>,
    /// Trials that were judged.
    pub judged: u32,
    /// Trials that passed: with the verdict, and the reason, that the drill must have.
    pub as_they_must_be: u32,
    /// Trials that did not pass although their verdict decides: held or violated.
    pub false_verdicts: u32,
    /// Trials that did not pass and could not tell: inconclusive or not-reached.
    pub cannot_tell: u32,
    /// How often each verdict was given, and for which reasons.
    pub verdicts: Vec<VerdictCount>,
    /// Wall seconds that a trial took; none when none was judged.
    pub seconds: Option<Spread>,
    /// Processors that the busy loops used beside a trial, by the kernel's count; none where that was not seen.
    pub busy_processors: Option<Spread>,
    /// Predicted windows beside what was observed, for each expectation and segment.
    pub segments: Vec<TriedSegment>,
}

/// How often a verdict was given for the same reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictCount {
    /// The drill's verdict.
    pub verdict: Verdict,
    /// The reasons of the expectations that had this verdict, each once; none for Held.
    pub reasons: Vec<Reason>,
    /// Whether these trials passed.
    pub passed: bool,
    /// How many trials.
    pub trials: u32,
}

/// One segment over all trials. Seconds are wall seconds after the event before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TriedSegment {
    /// Kind of the expectation: `alert`, `metric`.
    pub kind: String,
    /// What was expected: `HighErrorRate{service="user"}`.
    pub about: String,
    /// The segment: `cause to pending`, `pending to firing` and so on.
    pub name: String,
    /// The least earliest end of any trial's window.
    pub earliest: f64,
    /// The greatest latest end of any trial's window.
    pub latest: f64,
    /// Width of the widest window of a single trial.
    pub widest: f64,
    /// Trials that count: the end was observed, or was decided to be missing.
    pub trials: u32,
    /// Trials whose observation lies inside their own window.
    pub inside: u32,
    /// What was observed; none when nothing was.
    pub observed: Option<Spread>,
}

/// The least, the median and the greatest of some values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// The least.
    pub least: f64,
    /// The median: of an even number of values the mean of the two in the middle.
    pub median: f64,
    /// The greatest.
    pub greatest: f64,
}

impl Spread {
    /// The spread of `values`; none when there are none. Values that are no numbers are left out.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (least, greatest) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let median = match values.get(middle.wrapping_sub(1)) {
            Some(lower) if values.len().is_multiple_of(2) => f64::midpoint(*lower, upper),
            Some(_) | None => upper,
        };
        Some(Self { least, median, greatest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(least: f64, median: f64, greatest: f64) -> Spread {
        Spread { least, median, greatest }
    }

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_two_in_the_middle() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(spread(1.0, 2.0, 3.0)));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]), Some(spread(1.0, 2.5, 4.0)));
        assert_eq!(Spread::of([7.0]), Some(spread(7.0, 7.0, 7.0)));
    }

    #[test]
    fn nothing_has_no_spread() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([f64::NAN, f64::INFINITY]), None);
    }
}
