//! `firedrill completions`: the script that completes the command line in a shell.

use clap_complete::{Shell, generate};

use crate::failure::{Failure, NOT_SET_UP};

pub(crate) fn completions(shell: Shell, command: &mut clap::Command) -> Result<u8, Failure> {
    let mut script = Vec::new();
    generate(shell, command, "firedrill", &mut script);
    let script = String::from_utf8(script).map_err(|error| {
        Failure::plain(NOT_SET_UP, &format!("failed to make the completions of {shell}: {error}"))
    })?;
    super::report::say(&script)?;
    Ok(0)
}
