//! The program that keeps processors of the host busy: this one, under a command that help does not show.

use firedrill_stack::{BurnerProgram, ProcessBackend};

/// The command.
const COMMAND: &str = "burn";

/// The same backend with a burner. Where this program's own path is not to be had, a drill that needs a burner says that
/// there is none.
pub(super) fn with_burner(backend: ProcessBackend) -> ProcessBackend {
    match std::env::current_exe() {
        Ok(program) => backend.with_burner(BurnerProgram { program, arguments: vec![COMMAND.into()] }),
        Err(_) => backend,
    }
}
