//! `firedrill run`: runs drills and shows their report.

use super::conducted::{self, Follow};
use super::selection;
use crate::cli::{RunArguments, Talk};
use crate::failure::Failure;

pub(crate) fn run(arguments: &RunArguments, talk: &Talk) -> Result<u8, Failure> {
    let selection = selection::load(&arguments.paths, talk)?;
    conducted::to_the_end(
        &arguments.common,
        arguments.speed,
        arguments.strict,
        selection.drills,
        talk,
        Follow::Nothing,
    )
}
