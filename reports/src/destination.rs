//! Where a report goes, and printing to stdout.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use firedrill_record::RunRecord;
use thiserror::Error;

use crate::{render_json, render_junit, render_markdown};

/// A format of a report that is written where it was asked for: one document for the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The record itself.
    Json,
    /// JUnit XML, for the test pages of CI servers.
    Junit,
    /// GitHub-flavoured Markdown, for job summaries and comments.
    Markdown,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json => f.pad("JSON"),
            Self::Junit => f.pad("JUnit"),
            Self::Markdown => f.pad("Markdown"),
        }
    }
}

/// Where a report goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Standard output, written `-`.
    Stdout,
    /// A file; folders that are missing are made.
    File(PathBuf),
}

impl From<OsString> for Destination {
    fn from(text: OsString) -> Self {
        if text == "-" { Self::Stdout } else { Self::File(text.into()) }
    }
}

impl From<&str> for Destination {
    fn from(text: &str) -> Self {
        OsString::from(text).into()
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("standard output"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// A report could not be made or written. It changes no verdict.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The record has no form in this format.
    #[error("render the {format} report")]
    Render {
        /// The format.
        format: Format,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// The report is made and could not be written.
    #[error("write the {format} report to {destination}")]
    Write {
        /// The format.
        format: Format,
        /// Where it should have gone.
        destination: Destination,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Writes the report of `record` in `format` to `destination`.
pub fn write_report(
    format: Format,
    destination: &Destination,
    record: &RunRecord,
) -> Result<(), ReportError> {
    let text = match format {
        Format::Json => render_json(record).map_err(|source| ReportError::Render { format, source })?,
        Format::Junit => render_junit(record),
        Format::Markdown => render_markdown(record),
    };
    write_text(format, destination, &text)
}

/// Writes `text`, which is a report in `format`, to `destination`.
pub fn write_text(format: Format, destination: &Destination, text: &str) -> Result<(), ReportError> {
    match destination {
        Destination::Stdout => print(text),
        Destination::File(path) => write_file(path, text),
    }
    .map_err(|source| ReportError::Write { format, destination: destination.clone(), source })
}

fn write_file(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // Not by way of a second file and a rename: the destination may be a pipe.
    std::fs::write(path, text)
}

/// Writes `text` to stdout as it is. A reader that went away early (`| head`) is no error.
pub fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
