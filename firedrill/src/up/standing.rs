//! Finding the stacks that stay: through the registrations of this user's runs, never by name.

use firedrill_stack::{ProcessIdentity, RunPlaces, UnfinishedRun};

use super::announcement::Announcement;
use crate::failure::{Failure, NOT_SET_UP};

/// A stack that was brought up and not taken down.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// Its run, with its folder and its owner.
    pub(crate) run: UnfinishedRun,
    /// What its owner has told.
    pub(crate) announcement: Announcement,
}

impl Standing {
    /// The owner, if it is proved to live.
    pub(crate) fn owner(&self) -> Option<ProcessIdentity> {
        self.run.owner.filter(|owner| owner.lives())
    }
}

/// All of them, oldest first.
pub(crate) fn standing() -> Result<Vec<Standing>, Failure> {
    let unfinished = RunPlaces::from_environment()
        .unfinished()
        .map_err(|error| Failure::new(NOT_SET_UP, &error, Some("`firedrill restore` says more")))?;
    let mut found = Vec::new();
    for run in unfinished {
        let announced = Announcement::read(&run.folder).map_err(|error| {
            let sentence = format!("failed to read what stands in {}: {error}", run.folder.display());
            Failure::plain(NOT_SET_UP, &sentence)
        })?;
        found.extend(announced.map(|announcement| Standing { run, announcement }));
    }
    Ok(found)
}
