//! The checks: one file each, with its decision, its sentence and its reasons.

pub(crate) mod alert;
mod chance;
#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod load;
pub(crate) mod metric;
pub(crate) mod quiet;
pub(crate) mod truth;
