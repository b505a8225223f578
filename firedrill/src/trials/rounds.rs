//! Which trials there are: each round has every drill once, under a name of its own.

use firedrill_drill::{Drill, Fault};
use firedrill_record::DrillName;
use thiserror::Error;

/// Trials have numbers of so many digits.
const DIGITS: usize = 4;
/// There are no more trials of a drill than they can say.
pub(crate) const MOST_TRIALS: u32 = 9999;

/// A drill cannot be repeated.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum NotRepeatable {
    /// Its trials could not be named.
    #[error("{drill}-0001 is too long for a name of a trial")]
    NameTooLong {
        /// The drill.
        drill: DrillName,
    },
}

/// One trial.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trial {
    /// The name of the drill that it repeats.
    pub(crate) of: DrillName,
    /// Busy loops beside it.
    pub(crate) busy_loops: u32,
    /// The drill as it runs, under the trial's own name.
    pub(crate) drill: Drill,
}

/// All trials, in the order in which they run.
#[derive(Debug)]
pub(crate) struct Rounds {
    trials: Vec<Trial>,
}

impl Rounds {
    /// `count` rounds of `drills`; the second half of the rounds runs beside `busy_loops` busy loops. Of an odd number of
    /// rounds the one in the middle does, too, if there are any loops. A drill that burns the host's processors itself
    /// is always alone: beside loops nothing it finds would be its own fault's doing.
    pub(crate) fn new(drills: &[Drill], count: u32, busy_loops: u32) -> Result<Self, NotRepeatable> {
        for drill in drills {
            if named(&drill.name, MOST_TRIALS).is_none() {
                return Err(NotRepeatable::NameTooLong { drill: drill.name.clone() });
            }
        }
        let alone = count / 2;
        let mut trials = Vec::new();
        for round in 1..=count {
            for drill in drills {
                let Some(name) = named(&drill.name, round) else { continue };
                trials.push(Trial {
                    of: drill.name.clone(),
                    busy_loops: if round > alone && !burns_processors(drill) { busy_loops } else { 0 },
                    drill: Drill { name, ..drill.clone() },
                });
            }
        }
        Ok(Self { trials })
    }

    /// The drills of all trials.
    pub(crate) fn drills(&self) -> Vec<Drill> {
        self.trials.iter().map(|trial| trial.drill.clone()).collect()
    }

    /// How many busy loops run beside the trial of that name.
    pub(crate) fn busy_loops_beside(&self, trial: &DrillName) -> u32 {
        self.trials.iter().find(|one| one.drill.name == *trial).map_or(0, |one| one.busy_loops)
    }

    /// The trials of each drill and condition: the drill, the busy loops, the names of the trials.
    pub(crate) fn conditions(&self) -> Vec<(DrillName, u32, Vec<DrillName>)> {
        let mut conditions: Vec<(DrillName, u32, Vec<DrillName>)> = Vec::new();
        for trial in &self.trials {
            let name = trial.drill.name.clone();
            let known = conditions
                .iter_mut()
                .find(|(of, busy_loops, _)| *of == trial.of && *busy_loops == trial.busy_loops);
            match known {
                Some((.., names)) => names.push(name),
                None => conditions.push((trial.of.clone(), trial.busy_loops, vec![name])),
            }
        }
        // What was found of one drill stands together.
        let order: Vec<DrillName> = conditions.iter().map(|(of, ..)| of.clone()).collect();
        conditions.sort_by_key(|(of, ..)| order.iter().position(|one| one == of));
        conditions
    }
}

fn burns_processors(drill: &Drill) -> bool {
    drill.faults().any(|fault| matches!(fault, Fault::HostCpu { .. }))
}

fn named(drill: &DrillName, round: u32) -> Option<DrillName> {
    format!("{drill}-{round:0DIGITS$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use firedrill_drill::load_drill;

    use super::*;

    fn catalog(file: &str) -> Drill {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scenarios/catalog");
        load_drill(&root.join(file)).unwrap()
    }

    fn drill(name: &str) -> Drill {
        let drill = catalog("services/user-service-errors-page-the-team.yaml");
        Drill { name: name.parse().unwrap(), ..drill }
    }

    fn names(rounds: &Rounds) -> Vec<String> {
        rounds.drills().iter().map(|drill| drill.name.to_string()).collect()
    }

    #[test]
    fn each_round_has_every_drill_once() {
        let rounds = Rounds::new(&[drill("errors"), drill("kills")], 2, 0).unwrap();
        assert_eq!(names(&rounds), ["errors-0001", "kills-0001", "errors-0002", "kills-0002"]);
        assert!(rounds.trials.iter().all(|trial| trial.busy_loops == 0));
    }

    #[test]
    fn the_second_half_of_the_rounds_runs_beside_busy_loops() {
        let beside = |count| {
            let rounds = Rounds::new(&[drill("errors")], count, 4).unwrap();
            rounds.drills().iter().map(|drill| rounds.busy_loops_beside(&drill.name)).collect::<Vec<_>>()
        };
        assert_eq!(beside(4), [0, 0, 4, 4]);
        assert_eq!(beside(3), [0, 4, 4]);
        assert_eq!(beside(1), [4]);
    }

    #[test]
    fn a_drill_that_burns_processors_is_alone() {
        let drill = catalog("host/busy-cpu-raises-high-cpu-usage.yaml");
        let rounds = Rounds::new(&[drill], 2, 4).unwrap();
        assert!(rounds.trials.iter().all(|trial| trial.busy_loops == 0));
    }

    #[test]
    fn conditions_are_those_of_one_drill_together() {
        let rounds = Rounds::new(&[drill("errors"), drill("kills")], 2, 4).unwrap();
        let shown: Vec<String> = rounds
            .conditions()
            .into_iter()
            .map(|(of, busy, names)| format!("{of} {busy} {}", names.len()))
            .collect();
        assert_eq!(shown, ["errors 0 1", "errors 4 1", "kills 0 1", "kills 4 1"]);
    }

    #[test]
    fn a_trial_that_cannot_be_named_is_refused() {
        let long = drill(&"a".repeat(96));
        let error = Rounds::new(std::slice::from_ref(&long), 1, 0).unwrap_err();
        assert_eq!(error, NotRepeatable::NameTooLong { drill: long.name });
        let longest = drill(&"a".repeat(95));
        assert!(Rounds::new(&[longest], 1, 0).is_ok());
    }
}
