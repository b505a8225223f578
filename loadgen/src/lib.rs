//! Load: closed journeys run by goose, open arrivals at a constant rate, chat over WebSockets, and the ledger of what
//! really happened.
//!
//! It sends each request exactly once, only to loopback addresses it was given, and writes down how each one ended:
//! closed with a status, refused, or unknown. It deliberately knows nothing of monitoring, of faults or of verdicts.
//!
//! goose installs a handler for SIGINT whose second signal exits the process. Whoever needs to undo things on a signal
//! installs its own handler (with the `ctrlc` crate) before the first closed-model load: goose then leaves it alone.

mod around_faults;
mod arrivals;
mod chat;
mod clock;
mod error;
mod journey;
mod phase;
mod plan;
mod recorder;
mod running;
mod schedule;
mod script;
mod session;
#[cfg(test)]
mod stale_connection;
mod template;
mod transport;

pub use error::LoadError;
pub use plan::{LoadPlan, LoadProgress};
pub use running::RunningLoad;
