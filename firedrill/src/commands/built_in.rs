//! The scenarios that are built into the program: what `scenarios/…` means where there is no such folder.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use tempfile::TempDir;

use crate::failure::{Failure, NOT_SET_UP};

static SCENARIOS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../scenarios");

/// The folder that the built-in scenarios stand for.
const FOLDER: &str = "scenarios";

/// The built-in scenarios in a folder of their own, which is removed with this value.
pub(crate) struct BuiltIn {
    root: TempDir,
}

impl BuiltIn {
    /// Whether `path` means a built-in scenario: it begins with `scenarios/` and is not there as a file.
    pub(crate) fn is_meant_by(path: &Path) -> bool {
        path.starts_with(FOLDER) && !path.exists() && !Path::new(FOLDER).exists()
    }

    /// Lays the built-in scenarios down.
    pub(crate) fn lay_down() -> Result<Self, Failure> {
        let lay = || {
            let root = tempfile::tempdir()?;
            let folder = root.path().join(FOLDER);
            std::fs::create_dir(&folder)?;
            SCENARIOS.extract(&folder)?;
            Ok::<_, std::io::Error>(Self { root })
        };
        lay().map_err(|error| {
            Failure::plain(NOT_SET_UP, &format!("failed to lay down the built-in scenarios: {error}"))
        })
    }

    /// Where the built-in `path` lies.
    pub(crate) fn path(&self, path: &Path) -> PathBuf {
        self.root.path().join(path)
    }

    /// `file` as it would be named in a checkout.
    pub(crate) fn name(&self, file: &Path) -> PathBuf {
        file.strip_prefix(self.root.path()).unwrap_or(file).to_owned()
    }
}
