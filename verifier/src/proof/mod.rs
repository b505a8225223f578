//! Proof that a fault had an effect: from the ledger, the kernel, or the monitored thing itself, never from the reply of
//! the fault's own switch.

mod errors;
mod gauge;
mod host;
mod kill;
mod metrics;
mod processes;
mod requests;
mod silence;
mod slowness;
mod verdict;

pub(crate) use verdict::of_effect;
pub use verdict::{Unproved, proof_of_effect};
