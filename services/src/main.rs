//! `firedrill-services <gateway|auth|user|chat|notification>` and `firedrill-services healthcheck <url>`.

use std::process::ExitCode;

fn main() -> ExitCode {
    firedrill_services::run(std::env::args().skip(1), |name| std::env::var(name).ok())
}
