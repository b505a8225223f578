//! The command line and the workflows: what is done in which order. Every phase is a call into one of the crates below;
//! nothing here judges, makes load, or knows how a part is started.

mod capacity;
mod cli;
mod commands;
mod comparison;
mod failure;
mod run;
mod soak;
mod speed;
mod trials;
mod up;

pub use cli::main;
