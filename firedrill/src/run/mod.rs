//! The workflow of `firedrill run`: stacks come up, drills run on them one after the other, everything goes down.

mod breaking;
mod conductor;
mod drill_run;
mod events;
mod interrupts;
mod intervals;
mod plans;
mod prepared;
mod services_program;
mod settling;

pub(crate) use conductor::{Conductor, Sequel, Summary, outcome_of, outcome_of_growth};
pub(crate) use drill_run::EVIDENCE;
pub(crate) use interrupts::Interrupts;
pub(crate) use prepared::Setting;
