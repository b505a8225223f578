//! A folder of a test's own: working directory, drills, run folders and the list of unfinished runs.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::services;

/// A folder that is removed when the test ends.
pub(crate) struct Place {
    root: TempDir,
}

impl Place {
    /// The workspace's root.
    pub(crate) fn workspace() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    /// An empty one, with the journeys of the catalog beside its drills.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let journeys = root.path().join("journeys");
        fs::create_dir(&journeys).unwrap();
        for entry in fs::read_dir(Self::workspace().join("scenarios/journeys")).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, journeys.join(path.file_name().unwrap())).unwrap();
        }
        Self { root }
    }

    /// `name` in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// firedrill with this folder as its working directory and its state.
    pub(crate) fn firedrill(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = env::split_paths(&path).chain([Self::workspace().join(".tools/bin")]);
        command
            .current_dir(self.root.path())
            .env("PATH", env::join_paths(folders).unwrap())
            .env("XDG_STATE_HOME", self.path("state"))
            .env("FIREDRILL_SERVICES", services::program())
            .env_remove("NO_COLOR");
        command
    }

    /// A drill of that name; `rest` is what follows its `about`.
    pub(crate) fn drill(&self, name: &str, rest: &str) -> PathBuf {
        let file = self.path(&format!("{name}.yaml"));
        fs::write(&file, format!("drill: {name}\nabout: It is run by a test.\n{rest}")).unwrap();
        file
    }

    /// A drill without a fault: a short load that is counted exactly.
    pub(crate) fn steady_drill(&self) -> PathBuf {
        self.drill(
            "steady-load-is-counted",
            "load:
  - arrivals: {name: read-profile, rate: 40/s}
lasts: 1m
expect:
  - truth: {counters: exact, histograms: consistent}
  - load: {achieved: 80%}
  # A busy host is none of this drill's business.
  - quiet: {except: [{alertname: HighCpuUsage}, {alertname: HighLatency}]}
",
        )
    }

    /// The runs that are registered as unfinished.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        match fs::read_dir(self.path("state/firedrill/active")) {
            Ok(entries) => entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect(),
            Err(_) => Vec::new(),
        }
    }
}
