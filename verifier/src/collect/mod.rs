//! Collecting evidence: the only part of this crate that does I/O.

mod configuration;
mod counters;
mod evaluations;
mod host;
mod lateness;
mod metrics;
mod planted;
mod probes;
mod processes;
mod rules;
mod watch;
mod witness;

pub use watch::{Watch, WatchPlan};
pub use witness::Witness;
