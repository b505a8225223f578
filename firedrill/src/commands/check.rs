//! `firedrill check`: are the drills valid?

use std::path::PathBuf;

use super::selection;
use crate::cli::Talk;
use crate::failure::Failure;

pub(crate) fn check(paths: &[PathBuf], talk: &Talk) -> Result<u8, Failure> {
    let drills = selection::load(paths, talk)?.drills;
    let noun = if drills.len() == 1 { "drill is" } else { "drills are" };
    super::report::say(&format!("{} {noun} valid\n", drills.len()))?;
    Ok(0)
}
