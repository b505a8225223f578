//! Breaking things, and mending them again. One file per fault.
//!
//! A driver says whose end would undo its fault, injects it under a lease that ends by itself, and undoes it. It keeps
//! no ledger and proves no effect: that is for those who asked and for the evidence.

mod driver;
mod errors;
mod switches;

pub(crate) use driver::driver;
pub(crate) use switches::Switches;
