//! The fault switch: an authenticated admin route that breaks this service on order, for the length of a
//! lease that ends by itself.
//!
//! One file for each kind of fault; each kind has its own slot and lease. A fault in force is a value, and
//! dropping it ends it. Nothing here touches `/health` or `/admin/faults`, but that refusing connections is
//! below HTTP; without a token there is no switch at all.

mod bad_metrics;
mod cpu;
mod errors;
mod hang;
mod latency;
mod memory;
mod order;
mod refuse;
mod release;
mod requests;
mod slot;
mod slow_body;
mod switch;

pub(crate) use switch::{FaultSwitch, ROUTES};
