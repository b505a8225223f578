//! The stream of events of a run, and `events.jsonl`, which is written before anything else is told.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{DrillName, ExitOutcome, Reason, RunId, Verdict};

/// Something that happened, with wall time, time since the run began, and drill time where a drill is running.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunEvent {
    /// Wall time.
    pub at: Timestamp,
    /// Seconds since the run began.
    pub elapsed: f64,
    /// Seconds of drill time since the drill's load began: wall seconds times the speed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill_time: Option<f64>,
    /// What happened.
    #[serde(flatten)]
    pub kind: RunEventKind,
}

/// What can happen in a run. Names are in the past tense; fields carry what a reader needs to act.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's line explains its fields")]
pub enum RunEventKind {
    /// The run began.
    RunStarted {
        run: RunId,
        folder: String,
        seed: u64,
        speed: u32,
        drills: Vec<DrillName>,
        versions: std::collections::BTreeMap<String, String>,
    },
    /// The stack began to start.
    StackStarting { parts: usize },
    /// A part of the stack was started.
    PartStarted { part: String, pid: Option<u32>, address: String },
    /// A part of the stack answered as ready.
    PartReady { part: String, after_ms: u64 },
    /// Every part is ready, every target was discovered and Prometheus knows its Alertmanager.
    StackReady { after_ms: u64 },
    /// What the run changed in the configuration.
    ConfigurationChanged { file: String, what: String, from: String, to: String },
    /// A rule was left out because it cannot be compressed.
    RuleLeftOut { rule: String, why: String },
    /// A drill began.
    DrillStarted { drill: DrillName },
    /// The load began.
    LoadStarted { what: String },
    /// The harness waits for the stack to be steady before a fault; `waiting_for` is what is still missing.
    Settling { waiting_for: String },
    /// The stack is steady: the fault may start.
    Settled { after_ms: u64 },
    /// A fault is about to be injected; its undo is already written.
    FaultStarting { fault: String },
    /// A fault was injected.
    FaultInjected { fault: String },
    /// The effect of a fault was proved by evidence other than its switch.
    FaultProved { fault: String, proof: String },
    /// A fault was undone.
    FaultUndone { fault: String },
    /// An alert changed its state, in the words of the life cycle: pending, firing, received, delivered, resolved, resolved delivered.
    AlertProgressed { alert: String, state: String },
    /// Load counts, told now and then.
    LoadProgressed { requests: u64, unknown: u64, messages: u64 },
    /// The load ended and what was in flight was waited for.
    LoadDrained { requests: u64, unknown: u64 },
    /// An expectation was judged.
    ExpectationJudged { expectation: String, verdict: Verdict, reason: Option<Reason>, sentence: String },
    /// A drill ended.
    DrillEnded { drill: DrillName, verdict: Verdict, passed: bool },
    /// Something a reader should know and that changes no verdict by itself.
    Warned { text: String },
    /// A signal asked the run to stop.
    InterruptReceived,
    /// The stack is being taken down.
    TeardownStarted,
    /// A part of the stack ended.
    PartStopped { part: String, how: String },
    /// The run ended.
    RunEnded { exit: ExitOutcome, seconds: f64 },
}

/// The event log could not be written or read.
#[derive(Debug, Error)]
#[error("write or read the event log {path}")]
pub struct EventLogError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// Appends events to `events.jsonl`, one JSON object a line.
#[derive(Debug)]
pub struct EventLog {
    path: PathBuf,
    file: File,
}

impl EventLog {
    /// Opens the log at `path`, creating it if needed.
    pub fn open(path: &Path) -> Result<Self, EventLogError> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|source| EventLogError { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Writes `event` as one line in a single write, so that a killed run leaves at most one torn line at the end.
    pub fn write(&mut self, event: &RunEvent, redactor: &crate::Redactor) -> Result<(), EventLogError> {
        let fail = |source| EventLogError { path: self.path.clone(), source };
        let mut line = redactor.redact(&serde_json::to_string(event).map_err(|e| fail(e.into()))?);
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(fail)
    }

    /// The events of the log at `path`; a torn last line is left out, any other broken line is an error.
    pub fn read(path: &Path) -> Result<Vec<RunEvent>, EventLogError> {
        let fail = |source| EventLogError { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(fail)?;
        let lines: Vec<&str> = text.lines().collect();
        let mut events = Vec::with_capacity(lines.len());
        for (number, line) in lines.iter().enumerate() {
            match serde_json::from_str(line) {
                Ok(event) => events.push(event),
                Err(_) if number + 1 == lines.len() && !text.ends_with('\n') => break,
                Err(error) => {
                    return Err(fail(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("line {}: {error}", number + 1),
                    )));
                }
            }
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(text: &str) -> RunEvent {
        RunEvent {
            at: Timestamp::UNIX_EPOCH,
            elapsed: 1.5,
            drill_time: None,
            kind: RunEventKind::Warned { text: text.into() },
        }
    }

    #[test]
    fn events_read_back_as_written_and_a_torn_last_line_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut log = EventLog::open(&path).unwrap();
        for text in ["one", "two"] {
            log.write(&warned(text), &crate::Redactor::default()).unwrap();
        }
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"at\":\"1970").unwrap();
        assert_eq!(EventLog::read(&path).unwrap(), [warned("one"), warned("two")]);
    }

    #[test]
    fn a_broken_line_in_the_middle_is_an_error_that_names_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        std::fs::write(&path, "nonsense\n{}\n").unwrap();
        let error = EventLog::read(&path).unwrap_err();
        assert!(error.source.to_string().contains("line 1"), "{}", error.source);
    }
}
