//! Breaking things, and mending them again. One file per family of faults.
//!
//! A driver says whose end would undo its fault, injects it (under a lease that ends by itself, where something keeps
//! one), and undoes it. It keeps no ledger and proves no effect: that is for those who asked and for the evidence.

mod answers;
mod driver;
mod exposition;
mod gauge;
mod host_cpu;
mod kill;
mod refuse;
mod resources;
mod switch;
mod switched;

pub(crate) use driver::{Mended, driver};
pub(crate) use host_cpu::Burning;
pub(crate) use kill::Killing;
pub(crate) use switch::Switches;
