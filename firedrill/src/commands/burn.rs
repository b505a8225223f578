//! `firedrill burn`: what the fault `host-cpu` starts as a process of its own.

use std::time::Duration;

use crate::failure::{Failure, NOT_SET_UP};

pub(crate) fn burn(processors: u32, lease: Duration) -> Result<u8, Failure> {
    firedrill_stack::burn(processors, lease).map_err(|error| Failure::new(NOT_SET_UP, &error, None))?;
    Ok(0)
}
