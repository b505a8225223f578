//! The commands: one file each. Every one gives its exit code, or the failure to tell.

mod built_in;
mod burn;
mod capacity;
mod check;
mod completions;
mod conducted;
mod down;
mod judge;
mod list;
mod report;
mod restore;
mod run;
mod scale;
mod scale_files;
mod schema;
mod selection;
mod soak;
mod status;
mod up;
mod written_reports;

pub(crate) use burn::burn;
pub(crate) use capacity::capacity;
pub(crate) use check::check;
pub(crate) use completions::completions;
pub(crate) use down::down;
pub(crate) use judge::judge;
pub(crate) use list::list;
pub(crate) use report::{report, say};
pub(crate) use restore::restore;
pub(crate) use run::run;
pub(crate) use scale::scale;
pub(crate) use schema::schema;
pub(crate) use soak::soak;
pub(crate) use status::status;
pub(crate) use up::up;
