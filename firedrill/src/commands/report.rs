//! `firedrill report`: a run's report again, from its record.

use std::ffi::OsStr;

use firedrill_record::RunRecord;
use firedrill_reports::{Destination, Format, RenderOptions, print, render_run, write_report};
use firedrill_stack::{RunFolder, RunRef};

use crate::cli::Talk;
use crate::failure::{Failure, INVALID, NOT_SET_UP};

pub(crate) fn report(run: &str, json: Option<&OsStr>, talk: &Talk) -> Result<u8, Failure> {
    let (folder, record) = read(run)?;
    show(&record, &folder, json, talk)?;
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

/// Shows `record` on stdout, and writes it as JSON where asked; JSON on stdout takes the report's place.
pub(crate) fn show(
    record: &RunRecord,
    folder: &RunFolder,
    json: Option<&OsStr>,
    talk: &Talk,
) -> Result<(), Failure> {
    let destination = json.map(|file| Destination::from(file.to_owned()));
    let on_stdout = matches!(destination, Some(Destination::Stdout));
    if !on_stdout {
        let options = RenderOptions { folder: Some(folder.path().to_owned()), ..talk.results.clone() };
        say(&render_run(record, &options))?;
    }
    if let Some(destination) = destination
        && let Err(error) = write_report(Format::Json, &destination, record)
    {
        // A report that cannot be written changes no verdict.
        Failure::new(NOT_SET_UP, &error, None).tell();
    }
    Ok(())
}

/// Writes to stdout.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    print(text).map_err(|error| Failure::plain(NOT_SET_UP, &format!("failed to write to stdout: {error}")))
}
