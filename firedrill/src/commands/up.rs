//! `firedrill up`: brings a stack up and leaves it, or stays with it.

use super::report::say;
use crate::cli::{DETACHED, Talk, UpArguments};
use crate::failure::{Failure, NOT_SET_UP};
use crate::run::Interrupts;
use crate::up::{addresses, detach, own, standing};

pub(crate) fn up(arguments: &UpArguments, talk: &Talk) -> Result<u8, Failure> {
    let interrupts = Interrupts::install()?;
    if arguments.foreground || arguments.detached {
        return own(arguments, talk, interrupts);
    }
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::plain(NOT_SET_UP, &format!("failed to start the runtime: {error}")))?;
    let folder = match runtime.block_on(detach(DETACHED, &interrupts))? {
        Ok(folder) => folder,
        // The owner has said why on stderr.
        Err(code) => return Ok(code),
    };
    let standing = standing()?;
    let Some(up) = standing.iter().find(|one| one.run.folder == folder) else {
        let gone = format!("the stack in {} came up and is gone again", folder.display());
        return Err(Failure::plain(NOT_SET_UP, &gone));
    };
    let table = addresses(&up.announcement.parts);
    say(&format!(
        "{table}run folder {}\n`firedrill status` shows how it is, `firedrill down` takes it down\n",
        folder.display()
    ))?;
    Ok(0)
}
