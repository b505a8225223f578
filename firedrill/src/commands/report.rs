//! `firedrill report`: a run's report again, from its record.

use firedrill_record::RunRecord;
use firedrill_reports::{RenderOptions, print, render_run};
use firedrill_stack::{RunFolder, RunRef};

use super::written_reports::WrittenReports;
use crate::cli::{ReportFiles, Talk};
use crate::failure::{Failure, INVALID, NOT_SET_UP};

pub(crate) fn report(run: &str, files: &ReportFiles, talk: &Talk) -> Result<u8, Failure> {
    let reports = WrittenReports::of(files)?;
    let (folder, record) = read(run)?;
    show(&record, &folder, &reports, talk)?;
    Ok(0)
}

/// The folder and the record of a run.
pub(crate) fn read(run: &str) -> Result<(RunFolder, RunRecord), Failure> {
    let Ok(reference) = run.parse::<RunRef>();
    let folder = RunFolder::open(&reference)
        .map_err(|error| Failure::new(INVALID, &error, Some("a run is its folder, its id, or `latest`")))?;
    let path = folder.record();
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Failure::plain(
            INVALID,
            &format!("failed to read {}: {error}\nhint: a run that was killed has no record", path.display()),
        )
    })?;
    let record = serde_json::from_str(&text)
        .map_err(|error| Failure::plain(INVALID, &format!("failed to read {}: {error}", path.display())))?;
    Ok((folder, record))
}

/// Shows `record` on stdout, unless one of `reports` takes the place, and writes these.
pub(crate) fn show(
    record: &RunRecord,
    folder: &RunFolder,
    reports: &WrittenReports,
    talk: &Talk,
) -> Result<(), Failure> {
    let shown = if reports.take_stdout() {
        Ok(())
    } else {
        let options = RenderOptions { folder: Some(folder.path().to_owned()), ..talk.results.clone() };
        say(&render_run(record, &options))
    };
    reports.write(record);
    shown
}

/// Writes to stdout.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    print(text).map_err(|error| Failure::plain(NOT_SET_UP, &format!("failed to write to stdout: {error}")))
}
