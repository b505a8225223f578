//! The program `firedrill`.

use std::process::ExitCode;

fn main() -> ExitCode {
    firedrill::main()
}
