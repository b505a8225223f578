//! Cleaning up after runs whose owner is gone.
//!
//! A run is touched only when its lock is free; then everything that carries its mark is ended, its open faults are
//! written down as undone, and it is forgotten, in this order, so that being killed in the middle only means doing it
//! again. What cannot be proved to be the run's is never touched.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use firedrill_record::RunId;
use rustix::process::Signal;
use thiserror::Error;

use crate::deadline::{Deadline, Probe};
use crate::places::{RunPlaces, RunRef};
use crate::processes::{ProcessIdentity, RunProcess, processes_of, signal};
use crate::run_folder::{RunFolder, RunFolderError};
use crate::undo::{UndoEntry, UndoHistory};

/// From SIGTERM to SIGKILL. Short: nobody waits for what these processes would still finish.
const GRACE: Duration = Duration::from_secs(3);
/// From SIGKILL to giving up.
const KILLED_WITHIN: Duration = Duration::from_secs(5);

/// What happens during a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreEvent {
    /// A run is looked at.
    RunFound {
        /// The run.
        run: RunId,
    },
    /// A process of it was told to end.
    ProcessSignalled {
        /// The run.
        run: RunId,
        /// The process's part, or its program's name.
        part: String,
        /// Its number.
        pid: u32,
        /// `SIGTERM` or `SIGKILL`.
        signal: &'static str,
    },
}

/// A process that was ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndedProcess {
    /// Its part, or its program's name when the ledger does not know it.
    pub part: String,
    /// Its number while it lived.
    pub pid: u32,
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoredState {
    /// Its owner, or another `restore`, is at work on it: it was not touched.
    Live,
    /// Its owner is gone, and it was cleaned up as far as `left` says.
    Restored {
        /// Processes that were ended.
        ended: Vec<EndedProcess>,
        /// Faults that are known to be undone by that.
        undone: Vec<String>,
        /// What could not be ended or undone, in words; the run stays registered then.
        left: Vec<String>,
    },
}

/// One run of a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredRun {
    /// The run.
    pub run: RunId,
    /// Its folder, which may be gone.
    pub folder: PathBuf,
    /// What became of it.
    pub state: RestoredState,
    /// Findings that changed nothing: a damaged line of the ledger, a folder that is gone.
    pub findings: Vec<String>,
}

/// What a restore did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// The runs that were looked at, oldest first.
    pub runs: Vec<RestoredRun>,
}

impl RestoreReport {
    /// Everything that could not be ended or undone, in words.
    pub fn left(&self) -> Vec<&str> {
        let mut all = Vec::new();
        for run in &self.runs {
            if let RestoredState::Restored { left, .. } = &run.state {
                all.extend(left.iter().map(String::as_str));
            }
        }
        all
    }
}

/// A restore could not be begun.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// The run that was named cannot be opened.
    #[error(transparent)]
    Run(#[from] RunFolderError),
    /// The registrations cannot be read.
    #[error("read the registered runs in {}", path.display())]
    Registrations {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Cleans up after `which` run, or after every registered run that did not end.
pub async fn restore(
    which: Option<RunRef>,
    tell: &(dyn Fn(RestoreEvent) + Send + Sync),
) -> Result<RestoreReport, RestoreError> {
    restore_in(&RunPlaces::from_environment(), which, tell).await
}

/// [`restore`] with other places than those of the environment.
pub async fn restore_in(
    places: &RunPlaces,
    which: Option<RunRef>,
    tell: &(dyn Fn(RestoreEvent) + Send + Sync),
) -> Result<RestoreReport, RestoreError> {
    let mut report = RestoreReport::default();
    if let Some(reference) = which {
        let folder = RunFolder::open_in(places, &reference)?;
        report.runs.push(of_folder(folder, tell).await);
        return Ok(report);
    }
    let registered = places
        .registered()
        .map_err(|source| RestoreError::Registrations { path: places.active(), source })?;
    for run in registered {
        report.runs.extend(of_registered(places, run, tell).await);
    }
    Ok(report)
}

/// None when the run ended cleanly meanwhile.
async fn of_registered(
    places: &RunPlaces,
    run: RunId,
    tell: &(dyn Fn(RestoreEvent) + Send + Sync),
) -> Option<RestoredRun> {
    let registration = match places.registration(&run) {
        Ok(registration) => registration?,
        Err(error) => {
            let left = vec![format!("{error}; if no run {run} is alive, remove that file")];
            let state = RestoredState::Restored { ended: Vec::new(), undone: Vec::new(), left };
            return Some(RestoredRun { run, folder: PathBuf::new(), state, findings: Vec::new() });
        }
    };
    let reference = RunRef::Path(registration.folder.clone());
    match RunFolder::open_in(places, &reference) {
        Ok(folder) if *folder.id() == run => Some(of_folder(folder, tell).await),
        // The folder is gone, or somebody else's now, and with it the lock: the owner's own process decides.
        _ => {
            let folder = registration.folder;
            let mut findings = vec![format!("its folder {} is gone", folder.display())];
            let state = if registration.owner.is_some_and(ProcessIdentity::lives) {
                RestoredState::Live
            } else {
                tell(RestoreEvent::RunFound { run: run.clone() });
                let (ended, left) = end_processes(&run, &BTreeMap::new(), tell).await;
                if left.is_empty()
                    && let Err(error) = places.unregister(&run)
                {
                    findings.push(format!("it could not be forgotten: {error}"));
                }
                RestoredState::Restored { ended, undone: Vec::new(), left }
            };
            Some(RestoredRun { run, folder, state, findings })
        }
    }
}

async fn of_folder(folder: RunFolder, tell: &(dyn Fn(RestoreEvent) + Send + Sync)) -> RestoredRun {
    let run = folder.id().clone();
    let path = folder.path().to_owned();
    let mut findings = Vec::new();
    let places = folder.places().clone();
    let undo = folder.undo();
    // Held to the end of this function.
    let taken = match folder.take_over() {
        Err(RunFolderError::Locked { .. }) => {
            return RestoredRun { run, folder: path, state: RestoredState::Live, findings };
        }
        // The lock was free. A ledger that cannot be opened keeps nobody from ending processes.
        Err(RunFolderError::Ledger(error)) => {
            findings.push(error.to_string());
            None
        }
        Err(error) => {
            let left = vec![format!("{error}, so nothing says whether it is alive")];
            let state = RestoredState::Restored { ended: Vec::new(), undone: Vec::new(), left };
            return RestoredRun { run, folder: path, state, findings };
        }
        Ok(taken) => Some(taken),
    };
    tell(RestoreEvent::RunFound { run: run.clone() });
    let history = UndoHistory::read(&undo).unwrap_or_else(|error| {
        findings.push(error.to_string());
        UndoHistory::default()
    });
    if !history.damaged.is_empty() {
        findings.push(format!("lines {:?} of {} cannot be read", history.damaged, undo.display()));
    }
    let (ended, left) = end_processes(&run, &history.started, tell).await;
    let mut undone = Vec::new();
    if left.is_empty() {
        for (fault, (what, _)) in history.faults.iter().filter(|(_, (_, undone))| !undone) {
            let entry =
                UndoEntry::FaultUndone { fault: *fault, how: "the end of its part, by restore".to_owned() };
            let ledger = taken.as_ref().and_then(|folder| folder.ledger().ok());
            if let Some(Err(error)) = ledger.map(|ledger| ledger.append(entry)) {
                findings.push(format!("its undo could not be written down: {error}"));
            }
            undone.push(what.clone());
        }
        // Last: until here a restore that is killed is found and done again.
        if let Err(error) = places.unregister(&run) {
            findings.push(format!("it could not be forgotten: {error}"));
        }
    }
    drop(taken);
    RestoredRun { run, folder: path, state: RestoredState::Restored { ended, undone, left }, findings }
}

/// Ends every process of the run; returns those that are gone and, in words, those that are not.
async fn end_processes(
    run: &RunId,
    parts: &BTreeMap<ProcessIdentity, String>,
    tell: &(dyn Fn(RestoreEvent) + Send + Sync),
) -> (Vec<EndedProcess>, Vec<String>) {
    let named = |process: &RunProcess| {
        let part = parts.get(&process.identity).unwrap_or(&process.name).clone();
        EndedProcess { part, pid: process.identity.pid }
    };
    let mut seen = BTreeMap::new();
    let mut left = Vec::new();
    for (number, name, time) in [(Signal::TERM, "SIGTERM", GRACE), (Signal::KILL, "SIGKILL", KILLED_WITHIN)] {
        let mut signalled = BTreeSet::new();
        // Looks again and again, as a process may have been starting another while it was found.
        let deadline = Deadline::after(time);
        let waited = deadline.until("no process of the run is left", || {
            left = match processes_of(run) {
                Ok(processes) => processes,
                Err(error) => return std::future::ready(Probe::Ready(Err(error))),
            };
            for process in &left {
                let EndedProcess { part, pid } = named(process);
                seen.insert(process.identity, part.clone());
                if signalled.insert(process.identity) && signal(process.identity, run, number) {
                    tell(RestoreEvent::ProcessSignalled { run: run.clone(), part, pid, signal: name });
                }
            }
            let gone = left.is_empty();
            std::future::ready(if gone {
                Probe::Ready(Ok(()))
            } else {
                Probe::NotYet("processes left".to_owned())
            })
        });
        match waited.await {
            Ok(Ok(())) => break,
            Ok(Err(error)) => {
                return (Vec::new(), vec![format!("the processes of {run} cannot be listed: {error}")]);
            }
            Err(_) => {}
        }
    }
    let still: BTreeSet<ProcessIdentity> = left.iter().map(|process| process.identity).collect();
    let ended = seen
        .into_iter()
        .filter(|(identity, _)| !still.contains(identity))
        .map(|(identity, part)| EndedProcess { part, pid: identity.pid });
    let left =
        left.iter().map(named).map(|one| format!("{} (process {}) outlived SIGKILL", one.part, one.pid));
    (ended.collect(), left.collect())
}
