//! Deadlines: for each step of an alert's life the window in which it must end, computed from the running
//! configuration.
//!
//! Pure arithmetic in wall seconds. Each window counts from the step before it. S is the scrape interval, E the
//! evaluation interval, F `for`, K `keep_firing_for`, GW and GI group wait and interval, w the rule's window. What is
//! allowed beyond these intervals is named, term by term, in [`budget`].

mod budget;
mod clockwork;
mod crossing;
mod group;
mod retries;
mod window;

pub use clockwork::Clockwork;
pub use crossing::{Crossing, SteppingMean};
pub use group::{FirstFlush, Group};
pub use window::Window;

pub(crate) use budget::{REQUEST_TAKES, TIMER_LATE};
