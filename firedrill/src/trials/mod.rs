//! The workflow of `firedrill trials`: drills again and again on one stack, each repetition with alerts, load and fault
//! instants of its own, and what is found over all of them.
//!
//! Each trial is a drill of the run, judged by itself. What is found is read from the records alone.

mod busy_loops;
mod findings;
mod rounds;

pub(crate) use busy_loops::{BusyLoops, spin};
pub(crate) use findings::findings;
pub(crate) use rounds::{MOST_TRIALS, Rounds};
