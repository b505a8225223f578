//! The undo ledger: what a run is about to do and has done to this host, on disk before it is done.
//!
//! One JSON object a line, each synced. An intent without its completion means "may have happened". Whoever cleans up
//! reads it to name what is found and to know which faults to undo; what is killed is proved from the processes
//! themselves, so that a lost line loses no process.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::processes::ProcessIdentity;

/// One step of a run that outlives a killed owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum UndoEntry {
    /// A part of the stack is about to be started.
    PartStarting {
        /// The part.
        part: String,
    },
    /// It was started as this process.
    PartStarted {
        /// The part.
        part: String,
        /// The process.
        process: ProcessIdentity,
    },
    /// It ended and was waited for.
    PartEnded {
        /// The part.
        part: String,
        /// Its number while it lived.
        pid: u32,
        /// How it ended.
        how: String,
    },
    /// A fault is about to be injected.
    FaultStarting {
        /// Number of the fault in its run, from 1.
        fault: u64,
        /// What it does: `errors 30% on user`.
        what: String,
        /// The part whose end undoes it.
        held_by: String,
    },
    /// It was injected.
    FaultInjected {
        /// Number of the fault.
        fault: u64,
    },
    /// It was undone.
    FaultUndone {
        /// Number of the fault.
        fault: u64,
        /// How: by its switch, or by the end of the part that held it.
        how: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Line {
    at: Timestamp,
    #[serde(flatten)]
    entry: UndoEntry,
}

/// The ledger could not be written or read.
#[derive(Debug, Error)]
#[error("write or read the undo ledger {}", path.display())]
pub struct UndoLedgerError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// The ledger of a run, open for writing. Only the holder of the run's lock may have one.
#[derive(Debug)]
pub struct UndoLedger {
    path: PathBuf,
    file: Mutex<File>,
    faults: AtomicU64,
}

impl UndoLedger {
    /// Opens the ledger at `path`, creating it if needed. A last line without its end is cut off: what it announced
    /// was not begun, or is found without it.
    pub fn open(path: &Path) -> Result<Self, UndoLedgerError> {
        let fail = |source| UndoLedgerError { path: path.to_owned(), source };
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(path)
            .map_err(fail)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(fail)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).map_err(fail)?;
        file.seek(SeekFrom::End(0)).map_err(fail)?;
        file.sync_all().map_err(fail)?;
        if let Some(folder) = path.parent() {
            // Without its folder's entry a new file would be lost with the power.
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail)?;
        }
        let faults = UndoHistory::parse(&text).faults.keys().max().copied().unwrap_or(0);
        Ok(Self { path: path.to_owned(), file: Mutex::new(file), faults: AtomicU64::new(faults) })
    }

    /// Writes `entry` and waits until it is on disk.
    pub fn append(&self, entry: UndoEntry) -> Result<(), UndoLedgerError> {
        let fail = |source| UndoLedgerError { path: self.path.clone(), source };
        let line = Line { at: Timestamp::now(), entry };
        let mut text = serde_json::to_string(&line).map_err(|error| fail(error.into()))?;
        text.push('\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).map_err(fail)
    }

    /// The number of the run's next fault.
    pub(crate) fn next_fault(&self) -> u64 {
        self.faults.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// What a ledger says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UndoHistory {
    /// Processes that were started, by identity, with the name of their part.
    pub started: BTreeMap<ProcessIdentity, String>,
    /// Faults that were begun, by number: what they do, and whether they are undone.
    pub faults: BTreeMap<u64, (String, bool)>,
    /// Numbers of the lines that could not be read, from 1; a torn last line is not among them.
    pub damaged: Vec<usize>,
}

impl UndoHistory {
    /// Reads the ledger at `path`; an absent one says nothing.
    pub fn read(path: &Path) -> Result<Self, UndoLedgerError> {
        match std::fs::read(path) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(UndoLedgerError { path: path.to_owned(), source }),
        }
    }

    fn parse(text: &[u8]) -> Self {
        let mut history = Self::default();
        let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        // What follows the last line end is empty, or torn.
        lines.pop();
        for (index, line) in lines.into_iter().enumerate() {
            match serde_json::from_slice::<Line>(line) {
                Ok(line) => history.add(line.entry),
                Err(_) => history.damaged.push(index + 1),
            }
        }
        history
    }

    fn add(&mut self, entry: UndoEntry) {
        match entry {
            UndoEntry::PartStarted { part, process } => {
                self.started.insert(process, part);
            }
            UndoEntry::FaultStarting { fault, what, .. } => {
                self.faults.insert(fault, (what, false));
            }
            UndoEntry::FaultUndone { fault, .. } => {
                if let Some((_, undone)) = self.faults.get_mut(&fault) {
                    *undone = true;
                }
            }
            UndoEntry::PartStarting { .. }
            | UndoEntry::PartEnded { .. }
            | UndoEntry::FaultInjected { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starting(fault: u64) -> UndoEntry {
        UndoEntry::FaultStarting { fault, what: format!("fault {fault}"), held_by: "user".into() }
    }

    #[test]
    fn faults_without_their_undo_are_known_as_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("undo.jsonl");
        let ledger = UndoLedger::open(&path).unwrap();
        for entry in [starting(1), starting(2), UndoEntry::FaultUndone { fault: 1, how: "switch".into() }] {
            ledger.append(entry).unwrap();
        }
        let history = UndoHistory::read(&path).unwrap();
        assert_eq!(
            history.faults,
            BTreeMap::from([(1, ("fault 1".to_owned(), true)), (2, ("fault 2".to_owned(), false))])
        );
        assert_eq!(UndoLedger::open(&path).unwrap().next_fault(), 3, "numbers go on after a reopening");
    }

    #[test]
    fn a_torn_last_line_is_left_out_and_cut_off_before_more_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("undo.jsonl");
        UndoLedger::open(&path).unwrap().append(starting(1)).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"at\":\"2026").unwrap();
        let torn = UndoHistory::read(&path).unwrap();
        assert_eq!((torn.faults.len(), torn.damaged.len()), (1, 0));

        UndoLedger::open(&path).unwrap().append(starting(2)).unwrap();
        let history = UndoHistory::read(&path).unwrap();
        assert_eq!((history.faults.len(), history.damaged.len()), (2, 0));
    }

    #[test]
    fn a_damaged_line_hides_no_other() {
        let history = UndoHistory::parse(
            b"nonsense\n{\"at\":\"2026-11-22T14:23:00Z\",\"entry\":\"fault-starting\",\"fault\":1,\"what\":\"w\",\"held_by\":\"user\"}\n",
        );
        assert_eq!((history.damaged.as_slice(), history.faults.len()), ([1].as_slice(), 1));
    }
}
