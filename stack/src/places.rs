//! Where runs and their registrations lie, and the ways to name a run.
//!
//! A run is registered from before its first action until its clean end, so that a bare `restore` finds every run that
//! was killed, wherever its folder is.

use std::convert::Infallible;
use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use firedrill_record::{InvalidName, RunId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::processes::ProcessIdentity;

/// A run, as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunRef {
    /// The run with the greatest id in the runs folder.
    Latest,
    /// A run of the runs folder, or a registered one.
    Id(RunId),
    /// A run folder.
    Path(PathBuf),
}

/// No text is an invalid reference: what is neither `latest` nor an id is a path.
pub type InvalidRunRef = Infallible;

impl FromStr for RunRef {
    type Err = InvalidRunRef;
    fn from_str(text: &str) -> Result<Self, InvalidRunRef> {
        Ok(match text.parse() {
            _ if text == "latest" => Self::Latest,
            Ok(id) => Self::Id(id),
            Err(InvalidName { .. }) => Self::Path(text.into()),
        })
    }
}

/// The two folders that hold runs and their registrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPlaces {
    /// Run folders are made in here: `.firedrill/runs`.
    pub runs: PathBuf,
    /// What this user's runs have in common: registrations and locks of ports.
    pub state: PathBuf,
}

/// A run that did not end yet, or was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedRun {
    /// The run.
    pub run: RunId,
    /// Its folder, absolute; it may be gone.
    pub folder: PathBuf,
    /// The process that started it, where the system can tell processes apart.
    pub owner: Option<ProcessIdentity>,
}

/// A registered run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registration {
    /// The run's folder, absolute.
    pub(crate) folder: PathBuf,
    /// The process that started the run: it decides whether a run lives whose folder, and so its lock, was removed.
    pub(crate) owner: Option<ProcessIdentity>,
}

/// A registration that could not be read.
#[derive(Debug, Error)]
#[error("read the registration {}", path.display())]
pub(crate) struct RegistrationError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl RunPlaces {
    /// `.firedrill/runs` of the working directory, and `firedrill` in `$XDG_STATE_HOME` or `~/.local/state`; without
    /// a home it is `.firedrill/state`.
    pub fn from_environment() -> Self {
        let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
            .map_or_else(|| PathBuf::from(".firedrill/state"), |state| state.join("firedrill"));
        Self { runs: PathBuf::from(".firedrill/runs"), state }
    }

    pub(crate) fn active(&self) -> PathBuf {
        self.state.join("active")
    }

    pub(crate) fn port_locks(&self) -> PathBuf {
        self.state.join("ports")
    }

    /// Registers a run; the file appears whole or not at all.
    pub(crate) fn register(&self, run: &RunId, registration: &Registration) -> io::Result<()> {
        let folder = self.active();
        fs::create_dir_all(&folder)?;
        let unfinished = folder.join(format!(".{run}"));
        let mut file = fs::File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec(registration)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, folder.join(run.as_str()))?;
        fs::File::open(&folder)?.sync_all()
    }

    /// Forgets a run; one that is not registered is forgotten already.
    pub(crate) fn unregister(&self, run: &RunId) -> io::Result<()> {
        match fs::remove_file(self.active().join(run.as_str())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The registered runs, oldest first.
    pub(crate) fn registered(&self) -> io::Result<Vec<RunId>> {
        let entries = match fs::read_dir(self.active()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut runs = Vec::new();
        for entry in entries {
            if let Some(run) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
                runs.push(run);
            }
        }
        runs.sort();
        Ok(runs)
    }

    /// The runs that are registered, oldest first: those that live, and those that were killed. Fails when a
    /// registration cannot be read.
    pub fn unfinished(&self) -> io::Result<Vec<UnfinishedRun>> {
        let mut found = Vec::new();
        for run in self.registered()? {
            // One that is gone by now has ended meanwhile.
            if let Some(Registration { folder, owner }) = self.registration(&run).map_err(io::Error::other)? {
                found.push(UnfinishedRun { run, folder, owner });
            }
        }
        Ok(found)
    }

    /// The registration of `run`, if it is registered.
    pub(crate) fn registration(&self, run: &RunId) -> Result<Option<Registration>, RegistrationError> {
        let path = self.active().join(run.as_str());
        let fail = |source| RegistrationError { path: path.clone(), source };
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(fail(source)),
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| fail(error.into())),
        }
    }

    /// The ids of the run folders in the runs folder, oldest first.
    pub(crate) fn stored(&self) -> io::Result<Vec<RunId>> {
        let entries = match fs::read_dir(&self.runs) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut runs: Vec<RunId> = entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|run: &RunId| self.runs.join(run.as_str()).is_dir())
            .collect();
        runs.sort();
        Ok(runs)
    }

    /// The folder that `reference` names, if there is one.
    pub(crate) fn find(&self, reference: &RunRef) -> io::Result<Option<PathBuf>> {
        let stored = |run: &RunId| Some(self.runs.join(run.as_str())).filter(|path| path.is_dir());
        Ok(match reference {
            RunRef::Latest => self.stored()?.last().and_then(stored),
            RunRef::Id(run) => match stored(run) {
                None => self.registration(run).ok().flatten().map(|registration| registration.folder),
                found => found,
            },
            RunRef::Path(path) => Some(path.clone()).filter(|path| path.is_dir()),
        })
    }
}

/// `path` from the root, whether it exists or not.
pub(crate) fn absolute(path: &Path) -> io::Result<PathBuf> {
    std::path::absolute(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_by_latest_its_id_or_its_path() {
        let id = "20261122t142300z-7f3a";
        assert_eq!("latest".parse(), Ok(RunRef::Latest));
        assert_eq!(id.parse(), Ok(RunRef::Id(id.parse().unwrap())));
        assert_eq!("out/latest".parse(), Ok(RunRef::Path("out/latest".into())));
    }

    #[test]
    fn a_registration_lasts_until_it_is_forgotten_and_forgetting_twice_is_well() {
        let state = tempfile::tempdir().unwrap();
        let places = RunPlaces { runs: state.path().join("runs"), state: state.path().to_owned() };
        let run: RunId = "20261122t142300z-7f3a".parse().unwrap();
        let registration = Registration { folder: "/somewhere".into(), owner: None };
        places.register(&run, &registration).unwrap();
        assert_eq!(places.registered().unwrap(), std::slice::from_ref(&run));
        assert_eq!(places.registration(&run).unwrap(), Some(registration));
        let unfinished = UnfinishedRun { run: run.clone(), folder: "/somewhere".into(), owner: None };
        assert_eq!(places.unfinished().unwrap(), [unfinished]);
        for _ in 0..2 {
            places.unregister(&run).unwrap();
            assert_eq!(places.registered().unwrap(), []);
            assert_eq!(places.unfinished().unwrap(), []);
        }
    }
}
