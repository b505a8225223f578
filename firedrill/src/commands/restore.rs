//! `firedrill restore`: ends and undoes what killed runs left behind.

use std::fmt::Write as _;

use firedrill_stack::{RestoreEvent, RestoreReport, RestoredState, RunRef, restore as restore_runs};

use super::report::say;
use crate::failure::{Failure, INVALID, NOT_SET_UP};

/// Exit code when something could not be ended or undone.
const LEFT: u8 = 5;

pub(crate) fn restore(run: Option<&str>) -> Result<u8, Failure> {
    let which = run.map(|run| {
        let Ok(reference) = run.parse::<RunRef>();
        reference
    });
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::plain(NOT_SET_UP, &format!("failed to start the runtime: {error}")))?;
    let report = runtime
        .block_on(restore_runs(which, &tell))
        .map_err(|error| Failure::new(INVALID, &error, Some("a run is its folder, its id, or `latest`")))?;
    say(&described(&report))?;
    Ok(if report.left().is_empty() { 0 } else { LEFT })
}

/// Tells progress on stderr.
#[expect(clippy::print_stderr, reason = "progress of a command that has no reporter")]
pub(super) fn tell(event: RestoreEvent) {
    match event {
        RestoreEvent::RunFound { run } => eprintln!("{run}: looking"),
        RestoreEvent::ProcessSignalled { run, part, pid, signal } => {
            eprintln!("{run}: {signal} to {part} ({pid})");
        }
    }
}

/// What a restore did, one line a run.
pub(super) fn described(report: &RestoreReport) -> String {
    if report.runs.is_empty() {
        return "no unfinished run\n".to_owned();
    }
    let mut text = String::new();
    for run in &report.runs {
        let state = match &run.state {
            RestoredState::Live => "alive, not touched".to_owned(),
            RestoredState::Restored { ended, undone, left } => {
                let mut state = format!("{} processes ended, {} faults undone", ended.len(), undone.len());
                for one in left {
                    // Writing to a String does not fail.
                    let _ = write!(state, "\n  left: {one}");
                }
                state
            }
        };
        let _ = writeln!(text, "{}: {state}", run.run);
        for finding in &run.findings {
            let _ = writeln!(text, "  note: {finding}");
        }
    }
    text
}
