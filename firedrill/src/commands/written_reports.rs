//! The reports that were asked for beside the one on stdout: where each goes, and that no two go to one place.

use std::ffi::OsStr;

use firedrill_record::RunRecord;
use firedrill_reports::{Destination, Format, write_report};

use crate::cli::ReportFiles;
use crate::failure::{Failure, INVALID, NOT_SET_UP};

/// Formats and their destinations, no destination twice.
#[derive(Debug, Default)]
pub(crate) struct WrittenReports(Vec<(Format, Destination)>);

impl WrittenReports {
    /// What `files` asks for; refused when two reports would overwrite each other or mix on stdout.
    pub(crate) fn of(files: &ReportFiles) -> Result<Self, Failure> {
        let ReportFiles { json, junit, markdown } = files;
        let mut wanted: Vec<(&str, Format, Destination)> = Vec::new();
        for (option, format, file) in [
            ("--json", Format::Json, json.as_deref()),
            ("--junit", Format::Junit, junit.as_deref()),
            ("--markdown", Format::Markdown, markdown.as_deref()),
        ] {
            let Some(destination) = file.map(OsStr::to_owned).map(Destination::from) else { continue };
            if let Some((other, ..)) = wanted.iter().find(|(_, _, taken)| *taken == destination) {
                let why = format!("{other} and {option} both go to {destination}");
                let hint = "hint: give each a file of its own; at most one may be `-`";
                return Err(Failure::plain(INVALID, &format!("{why}\n{hint}")));
            }
            wanted.push((option, format, destination));
        }
        Ok(Self(wanted.into_iter().map(|(_, format, destination)| (format, destination)).collect()))
    }

    /// Whether one of them takes the place of the report on stdout.
    pub(crate) fn take_stdout(&self) -> bool {
        self.0.iter().any(|(_, destination)| *destination == Destination::Stdout)
    }

    /// Writes them all. One that cannot be written is told and changes no verdict.
    pub(crate) fn write(&self, record: &RunRecord) {
        for (format, destination) in &self.0 {
            if let Err(error) = write_report(*format, destination, record) {
                Failure::new(NOT_SET_UP, &error, None).tell();
            }
        }
    }
}
