//! Whole runs on real stacks, and what becomes of them when somebody interferes. One at a time: two cores carry no more.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod full_disk;
mod interrupted;
mod killed;
mod live_run;
mod lost_parts;
mod passes;
mod processes;
mod standing;
#[path = "../support/mod.rs"]
mod support;
mod trials;

/// Whoever starts a stack holds this meanwhile.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
