//! `firedrill run`: runs drills and shows their report.

use firedrill_stack::RunFolder;

use super::written_reports::WrittenReports;
use super::{report, selection};
use crate::cli::{RunArguments, Talk};
use crate::failure::{Failure, NOT_SET_UP};
use crate::run::{Conductor, Interrupts};

pub(crate) fn run(arguments: &RunArguments, talk: &Talk) -> Result<u8, Failure> {
    let reports = WrittenReports::of(&arguments.files)?;
    let selection = selection::load(&arguments.paths, talk)?;
    // Ours first: the load generator would install one whose second signal skips every undo.
    let interrupts = Interrupts::install()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::plain(NOT_SET_UP, &format!("failed to start the runtime: {error}")))?;
    let conductor = Conductor::prepare(arguments, selection.drills, talk, interrupts)?;
    let (folder, record) = runtime.block_on(conductor.conduct())?;
    let shown = report::show(&record, &folder, &reports, talk);
    if record.exit != firedrill_record::ExitOutcome::FaultNotUndone {
        folder.end().map_err(|error| Failure::new(NOT_SET_UP, &error, None))?;
    }
    if let Some(keep) = arguments.keep
        && let Err(error) = RunFolder::prune(keep)
    {
        Failure::new(NOT_SET_UP, &error, None).tell();
    }
    shown?;
    Ok(record.exit.code())
}
