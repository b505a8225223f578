//! `firedrill trials`: the same drills again and again, and what is found over all repetitions.

use firedrill_reports::{ProgressStyle, TerminalOptions};

use super::conducted::{self, Follow};
use super::selection;
use crate::cli::{Talk, TrialsArguments};
use crate::failure::{Failure, INVALID};
use crate::run::Beside;
use crate::trials::{BusyLoops, Rounds, findings};

pub(crate) fn trials(arguments: &TrialsArguments, talk: &Talk) -> Result<u8, Failure> {
    let selection = selection::load(&arguments.drills, talk)?;
    let busy_loops = arguments.busy.unwrap_or_default();
    let rounds = Rounds::new(&selection.drills, arguments.count, busy_loops)
        .map_err(|error| Failure::told(INVALID, &error, None))?;
    let (drills, conditions) = (rounds.drills(), rounds.conditions());
    let follow = Follow::Company(
        Box::new(move |drill, run| match rounds.busy_loops_beside(&drill.name) {
            0 => Ok(None),
            loops => Ok(Some(Box::new(BusyLoops::start(loops, run)?) as Box<dyn Beside>)),
        }),
        Box::new(move |record| {
            record.trials = conditions
                .iter()
                .map(|(drill, busy_loops, trials)| findings(drill, *busy_loops, trials, &record.drills))
                .collect();
        }),
    );
    conducted::to_the_end(&arguments.common, arguments.speed, true, drills, &a_line_a_trial(talk), follow)
}

/// Where every event would be a line, only how each trial ended is one: there may be a hundred.
fn a_line_a_trial(talk: &Talk) -> Talk {
    let progress = match talk.progress.progress {
        ProgressStyle::Plain => ProgressStyle::Outcomes,
        other @ (ProgressStyle::Live | ProgressStyle::Outcomes | ProgressStyle::Quiet) => other,
    };
    Talk { progress: TerminalOptions { progress, ..talk.progress.clone() }, results: talk.results.clone() }
}
