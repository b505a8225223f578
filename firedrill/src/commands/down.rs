//! `firedrill down`: takes the stack down that is up.

use std::time::Duration;

use firedrill_record::ExitOutcome;
use firedrill_stack::{Deadline, Probe, RestoredState, RunRef, restore as restore_runs};

use super::report::say;
use super::restore::{described, tell};
use crate::failure::{Failure, NOT_SET_UP};
use crate::up::{Standing, standing};

/// The parts are stopped in waves, each of them with some seconds of grace.
const DOWN_DEADLINE: Duration = Duration::from_mins(1);

pub(crate) fn down() -> Result<u8, Failure> {
    let standing = standing()?;
    if standing.is_empty() {
        say("nothing is up\n")?;
        return Ok(0);
    }
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::plain(NOT_SET_UP, &format!("failed to start the runtime: {error}")))?;
    let mut code = 0;
    for one in &standing {
        code = code.max(runtime.block_on(take_down(one))?);
    }
    Ok(code)
}

async fn take_down(one: &Standing) -> Result<u8, Failure> {
    let run = &one.run.run;
    if let Some(owner) = one.owner() {
        // One that ended in this moment is not there to be told.
        owner.tell_to_end();
        let gone =
            || async { if owner.lives() { Probe::NotYet("it lives".to_owned()) } else { Probe::Ready(()) } };
        let what = format!("the owner of run {run} (process {}) has ended", owner.pid);
        Deadline::after(DOWN_DEADLINE).until(&what, gone).await.map_err(|error| {
            let hint =
                "its log is owner.log in the run folder; once it is gone, `firedrill down` does the rest";
            Failure::new(ExitOutcome::FaultNotUndone.code(), &error, Some(hint))
        })?;
        if !standing_still(one)? {
            say(&format!("{run} is down; run folder {}\n", one.run.folder.display()))?;
            return Ok(0);
        }
    }
    // Nobody has ended it cleanly: its owner was killed, or could not end all.
    let report = restore_runs(Some(RunRef::Path(one.run.folder.clone())), &tell)
        .await
        .map_err(|error| Failure::new(NOT_SET_UP, &error, None))?;
    say(&described(&report))?;
    let restored = report.runs.iter().all(|run| matches!(run.state, RestoredState::Restored { .. }));
    Ok(if restored && report.left().is_empty() { 0 } else { ExitOutcome::FaultNotUndone.code() })
}

fn standing_still(one: &Standing) -> Result<bool, Failure> {
    Ok(standing()?.iter().any(|other| other.run.run == one.run.run))
}
