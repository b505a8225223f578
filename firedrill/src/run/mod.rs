//! The workflow of `firedrill run`: stacks come up, drills run on them one after the other, everything goes down.

mod beside;
mod breaking;
mod burner;
mod conductor;
mod drill_run;
mod events;
mod interrupts;
mod intervals;
mod looking;
mod plans;
mod prepared;
mod schedule;
mod services_program;
mod settling;
mod stack_plan;
mod telling;

pub(crate) use beside::{Beside, Company};
pub(crate) use conductor::{
    Conductor, Sequel, Summary, listen, log_into, outcome_of, outcome_of_growth, parts_of,
};
pub(crate) use drill_run::EVIDENCE;
pub(crate) use events::Events;
pub(crate) use interrupts::Interrupts;
pub(crate) use prepared::{Setting, base_configuration};
pub(crate) use services_program::find as find_services;
pub(crate) use stack_plan::{START_DEADLINE, StackConfiguration, stack_plan};
pub(crate) use telling::{changed, told};
