//! The commands: one file each. Every one gives its exit code, or the failure to tell.

mod built_in;
mod capacity;
mod check;
mod compare;
mod completions;
mod conducted;
mod down;
mod judge;
mod list;
mod report;
mod restore;
mod run;
mod schema;
mod selection;
mod soak;
mod status;
mod trials;
mod up;
mod written_reports;

pub(crate) use capacity::capacity;
pub(crate) use check::check;
pub(crate) use compare::compare_runs;
pub(crate) use completions::completions;
pub(crate) use down::down;
pub(crate) use judge::judge;
pub(crate) use list::list;
pub(crate) use report::{report, say};
pub(crate) use restore::restore;
pub(crate) use run::run;
pub(crate) use schema::schema;
pub(crate) use soak::soak;
pub(crate) use status::status;
pub(crate) use trials::trials;
pub(crate) use up::up;
