//! The workflow of `firedrill run`: stacks come up, drills run on them one after the other, everything goes down.

mod breaking;
mod burner;
mod conductor;
mod drill_run;
mod events;
mod interrupts;
mod intervals;
mod plans;
mod prepared;
mod services_program;
mod settling;

pub(crate) use conductor::{
    Conductor, START_DEADLINE, Sequel, Summary, changed, listen, log_into, outcome_of, outcome_of_growth,
    parts_of, told,
};
pub(crate) use drill_run::EVIDENCE;
pub(crate) use events::Events;
pub(crate) use interrupts::Interrupts;
pub(crate) use prepared::{Setting, base_configuration};
pub(crate) use services_program::find as find_services;
