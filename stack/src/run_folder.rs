//! The folder of a run: its lock, its ledger, and where everything else in it lies.
//!
//! Whoever holds the lock owns the run; the kernel takes it back when the owner dies, however it dies. It does not
//! know what is written into the files it names.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firedrill_record::{DrillName, RunId};
use thiserror::Error;

use crate::places::{Registration, RunPlaces, RunRef, absolute};
use crate::processes::ProcessIdentity;
use crate::undo::{UndoLedger, UndoLedgerError};

const LOCK: &str = "lock";

/// A run folder could not be made, opened or ended.
#[derive(Debug, Error)]
pub enum RunFolderError {
    /// The folder given for the run already holds something.
    #[error("use {} as the run folder: it is not empty", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// There is no such run.
    #[error("find the run {reference}")]
    NoSuchRun {
        /// How the run was named.
        reference: String,
    },
    /// The folder is not one of a run.
    #[error("open {}: it is not a run folder, its lock names no run", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
    },
    /// The run is in use by another process.
    #[error("take the run {run}: another firedrill is at work on it")]
    Locked {
        /// The run.
        run: RunId,
    },
    /// A file or folder could not be made, read or written.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was tried, as a fragment: `create`.
        doing: &'static str,
        /// What it was tried on.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The undo ledger could not be opened.
    #[error(transparent)]
    Ledger(#[from] UndoLedgerError),
    /// The folder was opened for reading only.
    #[error("change the run {run}: its folder was opened for reading")]
    ReadOnly {
        /// The run.
        run: RunId,
    },
}

/// The folder of a run.
#[derive(Debug)]
pub struct RunFolder {
    id: RunId,
    path: PathBuf,
    places: RunPlaces,
    hold: Option<Hold>,
}

/// What only the owner of a run has.
#[derive(Debug)]
struct Hold {
    ledger: Arc<UndoLedger>,
    /// Held as long as this file is open. Last, so that the ledger is closed before somebody else may open it.
    _lock: File,
}

impl RunFolder {
    /// Makes the folder of a new run, takes its lock and registers it. `out` *is* the folder, and must be absent or
    /// empty; without it the folder is `.firedrill/runs/<id>`.
    pub fn create(id: RunId, out: Option<&Path>) -> Result<Self, RunFolderError> {
        Self::create_in(&RunPlaces::from_environment(), id, out)
    }

    /// [`RunFolder::create`] with other places than those of the environment.
    pub fn create_in(places: &RunPlaces, id: RunId, out: Option<&Path>) -> Result<Self, RunFolderError> {
        let wanted = out.map_or_else(|| places.runs.join(id.as_str()), Path::to_owned);
        let path = absolute(&wanted).map_err(io("locate", &wanted))?;
        fs::create_dir_all(&path).map_err(io("create", &path))?;
        if fs::read_dir(&path).map_err(io("read", &path))?.next().is_some() {
            return Err(RunFolderError::NotEmpty { path });
        }
        let lock_path = path.join(LOCK);
        // Of two runs that were given the same empty folder, only one makes the lock.
        let mut lock = match File::create_new(&lock_path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(RunFolderError::NotEmpty { path });
            }
            created => created.map_err(io("create", &lock_path))?,
        };
        take(&lock, &lock_path, &id)?;
        writeln!(lock, "{id}").and_then(|()| lock.sync_all()).map_err(io("write", &lock_path))?;
        let ledger = Arc::new(UndoLedger::open(&path.join("undo.jsonl"))?);
        let registration =
            Registration { folder: path.clone(), owner: ProcessIdentity::of(std::process::id()) };
        places.register(&id, &registration).map_err(io("register the run in", &places.state))?;
        Ok(Self { id, path, places: places.clone(), hold: Some(Hold { ledger, _lock: lock }) })
    }

    /// Opens the folder of a run for reading.
    pub fn open(run: &RunRef) -> Result<Self, RunFolderError> {
        Self::open_in(&RunPlaces::from_environment(), run)
    }

    /// [`RunFolder::open`] with other places than those of the environment.
    pub fn open_in(places: &RunPlaces, run: &RunRef) -> Result<Self, RunFolderError> {
        let found = places.find(run).map_err(io("read", &places.runs))?;
        let path = found.ok_or_else(|| RunFolderError::NoSuchRun { reference: shown(run) })?;
        let path = absolute(&path).map_err(io("locate", &path))?;
        let id = fs::read_to_string(path.join(LOCK)).ok().and_then(|text| text.trim().parse().ok());
        let id = id.ok_or_else(|| RunFolderError::NotARun { path: path.clone() })?;
        Ok(Self { id, path, places: places.clone(), hold: None })
    }

    /// Takes the lock of a run whose owner is gone, to clean up after it.
    pub(crate) fn take_over(mut self) -> Result<Self, RunFolderError> {
        let path = self.path.join(LOCK);
        let lock = File::open(&path).map_err(io("open", &path))?;
        take(&lock, &path, &self.id)?;
        let ledger = Arc::new(UndoLedger::open(&self.undo())?);
        self.hold = Some(Hold { ledger, _lock: lock });
        Ok(self)
    }

    /// The run's identifier.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// The folder itself, from the root.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the run and its registration lie.
    pub fn places(&self) -> &RunPlaces {
        &self.places
    }

    /// The stream of events, `events.jsonl`.
    pub fn events(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    /// The record, `run.json`.
    pub fn record(&self) -> PathBuf {
        self.path.join("run.json")
    }

    /// The undo ledger, `undo.jsonl`.
    pub fn undo(&self) -> PathBuf {
        self.path.join("undo.jsonl")
    }

    /// The folder of a drill, `drills/<name>`.
    pub fn drill(&self, name: &DrillName) -> PathBuf {
        self.path.join("drills").join(name.as_str())
    }

    /// The folder of the run's `number`th stack, from 1: `stack/<number>`.
    pub fn stack(&self, number: usize) -> PathBuf {
        self.path.join("stack").join(number.to_string())
    }

    /// The run's undo ledger, which only its owner has.
    pub fn ledger(&self) -> Result<&Arc<UndoLedger>, RunFolderError> {
        let hold = self.hold.as_ref();
        hold.map(|hold| &hold.ledger).ok_or_else(|| RunFolderError::ReadOnly { run: self.id.clone() })
    }

    /// Ends the run cleanly: it needs no `restore` any more. Dropped without this it stays registered, so that
    /// `restore` looks after it. Call it only when nothing was left running.
    pub fn end(self) -> Result<(), RunFolderError> {
        self.ledger()?;
        self.places.unregister(&self.id).map_err(io("unregister the run in", &self.places.state))
    }

    /// Removes all but the newest `keep` run folders of `.firedrill/runs`; what is alive or was not ended cleanly is
    /// never removed. Returns what was removed, oldest first.
    pub fn prune(keep: usize) -> Result<Vec<RunId>, RunFolderError> {
        Self::prune_in(&RunPlaces::from_environment(), keep)
    }

    /// [`RunFolder::prune`] with other places than those of the environment.
    pub fn prune_in(places: &RunPlaces, keep: usize) -> Result<Vec<RunId>, RunFolderError> {
        let mut runs = places.stored().map_err(io("read", &places.runs))?;
        let registered = places.registered().map_err(io("read", &places.state))?;
        runs.truncate(runs.len().saturating_sub(keep));
        let mut removed = Vec::new();
        for run in runs.into_iter().filter(|run| !registered.contains(run)) {
            let Ok(folder) = Self::open_in(places, &RunRef::Id(run.clone())) else { continue };
            // Somebody else's state folder may know the run as alive.
            let Ok(folder) = folder.take_over() else { continue };
            fs::remove_dir_all(&folder.path).map_err(io("remove", &folder.path))?;
            removed.push(run);
        }
        Ok(removed)
    }
}

fn take(lock: &File, path: &Path, run: &RunId) -> Result<(), RunFolderError> {
    match lock.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(RunFolderError::Locked { run: run.clone() }),
        Err(TryLockError::Error(source)) => Err(io("lock", path)(source)),
    }
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RunFolderError {
    let path = path.to_owned();
    move |source| RunFolderError::Io { doing, path, source }
}

fn shown(run: &RunRef) -> String {
    match run {
        RunRef::Latest => "latest".to_owned(),
        RunRef::Id(run) => run.to_string(),
        RunRef::Path(path) => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> (tempfile::TempDir, RunPlaces) {
        let root = tempfile::tempdir().unwrap();
        let places = RunPlaces { runs: root.path().join("runs"), state: root.path().join("state") };
        (root, places)
    }

    fn id(number: u16) -> RunId {
        RunId::new("2026-11-22T14:23:00Z".parse().unwrap(), number)
    }

    #[test]
    fn a_run_is_registered_from_its_creation_to_its_clean_end() {
        let (_root, places) = places();
        let folder = RunFolder::create_in(&places, id(1), None).unwrap();
        assert_eq!(places.registered().unwrap(), [id(1)]);
        folder.end().unwrap();
        assert_eq!(places.registered().unwrap(), []);
    }

    #[test]
    fn a_run_that_was_dropped_stays_registered_and_its_lock_is_free() {
        let (_root, places) = places();
        drop(RunFolder::create_in(&places, id(1), None).unwrap());
        assert_eq!(places.registered().unwrap(), [id(1)]);
        let opened = RunFolder::open_in(&places, &RunRef::Latest).unwrap();
        assert!(opened.ledger().is_err(), "opened for reading");
        opened.take_over().unwrap().ledger().unwrap();
    }

    #[test]
    fn the_lock_of_a_live_run_cannot_be_taken() {
        let (_root, places) = places();
        let live = RunFolder::create_in(&places, id(1), None).unwrap();
        let second = RunFolder::open_in(&places, &RunRef::Path(live.path().to_owned())).unwrap();
        assert!(matches!(second.take_over(), Err(RunFolderError::Locked { .. })));
    }

    #[test]
    fn an_output_folder_that_holds_something_is_refused_and_left_as_it_is() {
        let (root, places) = places();
        let out = root.path().join("out");
        fs::create_dir(&out).unwrap();
        fs::write(out.join("thesis.txt"), "mine").unwrap();
        let error = RunFolder::create_in(&places, id(1), Some(&out)).unwrap_err();
        assert!(matches!(error, RunFolderError::NotEmpty { .. }), "{error}");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
        assert_eq!(places.registered().unwrap(), []);
    }

    #[test]
    fn an_output_folder_is_found_by_its_path_and_by_its_id_while_registered() {
        let (root, places) = places();
        let out = root.path().join("deep/out");
        let run = RunFolder::create_in(&places, id(1), Some(&out)).unwrap();
        for reference in [RunRef::Path(out.clone()), RunRef::Id(id(1))] {
            assert_eq!(RunFolder::open_in(&places, &reference).unwrap().id(), run.id());
        }
    }

    #[test]
    fn pruning_keeps_the_newest_and_every_run_that_did_not_end() {
        let (_root, places) = places();
        let unfinished = RunFolder::create_in(&places, id(1), None).unwrap();
        drop(unfinished);
        for number in 2..=4 {
            RunFolder::create_in(&places, id(number), None).unwrap().end().unwrap();
        }
        assert_eq!(RunFolder::prune_in(&places, 1).unwrap(), [id(2), id(3)]);
        assert_eq!(places.stored().unwrap(), [id(1), id(4)]);
        assert_eq!(RunFolder::prune_in(&places, 1).unwrap(), []);
    }
}
