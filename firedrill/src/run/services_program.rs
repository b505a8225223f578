//! Where the program of the services is.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, NOT_SET_UP};

const NAME: &str = "firedrill-services";

/// `FIREDRILL_SERVICES`, else the program beside firedrill's own.
pub(crate) fn find() -> Result<PathBuf, Failure> {
    if let Some(path) = std::env::var_os("FIREDRILL_SERVICES") {
        return existing(PathBuf::from(path), "FIREDRILL_SERVICES names it");
    }
    let own = std::env::current_exe().map_err(|error| {
        Failure::plain(NOT_SET_UP, &format!("failed to find firedrill's own program: {error}"))
    })?;
    let folder = own.parent().unwrap_or_else(|| Path::new("."));
    existing(folder.join(NAME), "it belongs beside firedrill; FIREDRILL_SERVICES names another place")
}

fn existing(path: PathBuf, hint: &str) -> Result<PathBuf, Failure> {
    if path.is_file() {
        Ok(path)
    } else {
        Err(Failure::plain(
            NOT_SET_UP,
            &format!("failed to find the services' program {}\nhint: {hint}", path.display()),
        ))
    }
}
