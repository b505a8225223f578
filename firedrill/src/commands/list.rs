//! `firedrill list`: which drills are there, and what does each prove?

use std::fmt::Write as _;
use std::path::PathBuf;

use super::selection;
use crate::cli::Talk;
use crate::failure::Failure;

pub(crate) fn list(paths: &[PathBuf], talk: &Talk) -> Result<u8, Failure> {
    let selection = selection::load(paths, talk)?;
    let mut text = String::new();
    for drill in &selection.drills {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{}\n    {}\n    {}", drill.name, drill.about.trim(), drill.file.display());
    }
    super::report::say(&text)?;
    Ok(0)
}
