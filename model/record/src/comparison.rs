//! Two runs of the same drills at different speeds, side by side in drill time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DrillName, RunId, Verdict};

/// Two runs, compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The two runs.
    pub runs: [RunId; 2],
    /// The drills of either, in the order of the first run.
    pub drills: Vec<ComparedDrill>,
}

/// One drill of two runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedDrill {
    /// The drill.
    pub drill: DrillName,
    /// Its speed in each run; none where the run has no such drill.
    pub speeds: [Option<u32>; 2],
    /// Its verdict in each run; none where the run has no such drill.
    pub verdicts: [Option<Verdict>; 2],
    /// How far two observations of a segment may lie apart, in seconds of drill time: two scrape intervals as deployed.
    pub allowed: Option<f64>,
    /// Its segments.
    pub segments: Vec<ComparedSegment>,
    /// Why it cannot be compared, if it cannot.
    pub cannot_tell: Option<String>,
}

/// One segment of two runs, in seconds of drill time after the event before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedSegment {
    /// What was expected: `alert HighErrorRate{service="user"}`.
    pub expectation: String,
    /// The segment: `cause to pending`, `pending to firing` and so on.
    pub name: String,
    /// What was observed in each run, without `unscaled`; none where it was not.
    pub observed: [Option<f64>; 2],
    /// What was subtracted before, in wall seconds, because it does not scale: how long the switch of the fault took.
    pub unscaled: [f64; 2],
    /// How far they lie apart; none when one is missing.
    pub apart: Option<f64>,
    /// Whether they agree; none when that cannot be told.
    pub agrees: Option<bool>,
}

impl ComparedDrill {
    /// Whether verdicts and segments agree; none when that cannot be told.
    pub fn agrees(&self) -> Option<bool> {
        let [Some(one), Some(other)] = self.verdicts else { return None };
        let segments = || self.segments.iter().map(|segment| segment.agrees);
        if one != other || segments().any(|agrees| agrees == Some(false)) {
            return Some(false);
        }
        let told = self.cannot_tell.is_none() && !self.segments.is_empty();
        (told && segments().all(|agrees| agrees == Some(true))).then_some(true)
    }
}

impl Comparison {
    /// Whether all drills agree; none when that cannot be told, as of no drill at all.
    pub fn agrees(&self) -> Option<bool> {
        let drills = || self.drills.iter().map(ComparedDrill::agrees);
        if drills().any(|agrees| agrees == Some(false)) {
            return Some(false);
        }
        (!self.drills.is_empty() && drills().all(|agrees| agrees == Some(true))).then_some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drill(verdicts: [Option<Verdict>; 2], agrees: &[Option<bool>]) -> ComparedDrill {
        let segment = |agrees: &Option<bool>| ComparedSegment {
            expectation: "alert A".into(),
            name: "pending to firing".into(),
            observed: [Some(300.0), agrees.map(|_| 300.0)],
            unscaled: [0.0, 0.0],
            apart: agrees.map(|_| 0.0),
            agrees: *agrees,
        };
        ComparedDrill {
            drill: "a".parse().unwrap(),
            speeds: [Some(1), Some(60)],
            verdicts,
            allowed: Some(30.0),
            segments: agrees.iter().map(segment).collect(),
            cannot_tell: None,
        }
    }

    const HELD: Option<Verdict> = Some(Verdict::Held);

    #[test]
    fn drills_agree_when_verdicts_and_all_segments_do() {
        assert_eq!(drill([HELD, HELD], &[Some(true), Some(true)]).agrees(), Some(true));
        assert_eq!(drill([HELD, HELD], &[Some(true), Some(false)]).agrees(), Some(false));
        assert_eq!(drill([HELD, Some(Verdict::Violated)], &[Some(true)]).agrees(), Some(false));
    }

    #[test]
    fn what_is_missing_on_one_side_cannot_be_told() {
        assert_eq!(drill([HELD, HELD], &[Some(true), None]).agrees(), None);
        assert_eq!(drill([HELD, HELD], &[]).agrees(), None);
        assert_eq!(drill([HELD, None], &[Some(true)]).agrees(), None);
        let nothing = Comparison {
            runs: ["20261122t142300z-7f3a", "20261122t142300z-7f3b"].map(|id| id.parse().unwrap()),
            drills: Vec::new(),
        };
        assert_eq!(nothing.agrees(), None);
    }
}
