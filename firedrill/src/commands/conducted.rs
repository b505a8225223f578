//! A run from its drills to its report: what `run`, `soak`, `capacity` and `trials` have in common.

use firedrill_drill::{Backend, Drill};
use firedrill_record::ExitOutcome;
use firedrill_stack::RunFolder;

use super::report;
use super::written_reports::WrittenReports;
use crate::cli::{CommonArguments, StackKind, Talk};
use crate::failure::{Failure, NOT_SET_UP};
use crate::run::{Company, Conductor, Interrupts, Sequel, Setting, Summary};
use crate::speed::Speed;

/// What comes after the drills that were named, or beside them.
pub(crate) enum Follow {
    /// Nothing.
    Nothing,
    /// More drills on the same stack, and what is found over all of them.
    Drills(Sequel, Summary),
    /// Something beside each of them, and what is found over all of them.
    Company(Company, Summary),
}

/// Runs `drills` and what follows, shows the report, writes those asked for, and gives the exit code.
pub(crate) fn to_the_end(
    common: &CommonArguments,
    speed: Option<Speed>,
    strict: bool,
    drills: Vec<Drill>,
    talk: &Talk,
    follow: Follow,
) -> Result<u8, Failure> {
    let reports = WrittenReports::of(&common.files)?;
    // Ours first: the load generator would install one whose second signal skips every undo.
    let interrupts = Interrupts::install()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::plain(NOT_SET_UP, &format!("failed to start the runtime: {error}")))?;
    let StackKind::Process = common.stack;
    let setting = Setting {
        backend: Backend::Process,
        speed,
        seed: common.seed,
        config: common.config.clone(),
        out: common.out.clone(),
        strict,
    };
    let conductor = Conductor::prepare(&setting, drills, talk, interrupts)?;
    let conductor = match follow {
        Follow::Nothing => conductor,
        Follow::Drills(sequel, summary) => conductor.followed_by(sequel, summary),
        Follow::Company(company, summary) => conductor.accompanied_by(company, summary),
    };
    let (folder, record) = runtime.block_on(conductor.conduct())?;
    let shown = report::show(&record, &folder, &reports, talk);
    if record.exit != ExitOutcome::FaultNotUndone {
        folder.end().map_err(|error| Failure::new(NOT_SET_UP, &error, None))?;
    }
    if let Some(keep) = common.keep
        && let Err(error) = RunFolder::prune(keep)
    {
        Failure::new(NOT_SET_UP, &error, None).tell();
    }
    shown?;
    Ok(record.exit.code())
}
