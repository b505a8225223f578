//! What the running configuration makes of an expected alert: its rule, its route, its clockwork and how its
//! expression follows the fault.

mod baseline;
mod busy_time;
mod crossing;
mod loaded;
mod muting;
mod plan;
mod processors;
mod scraping;

pub use baseline::Baseline;
pub use loaded::longest_history_of_all;
pub use muting::Muting;
pub use plan::AlertPlan;
pub use processors::Processors;

pub(crate) use baseline::Measured;
pub(crate) use loaded::analysis_of;
pub(crate) use plan::NoPlan;
pub(crate) use processors::busy_condition;

#[cfg(test)]
mod busy_host_tests;
#[cfg(test)]
mod tests;
