//! From what is written to what is meant: every check of a drill or journey that YAML's shape cannot make.
//!
//! Each check reports its problems and goes on, so that all are found at once. Only the text itself is judged: whether
//! an alert, a receiver or a service exists is not known here.

mod drill;
mod expect;
mod fan_out;
mod fault;
mod journey;
mod load;
mod metric_name;
mod must_be;
mod problems;
mod step;
mod timeline;

pub(crate) use drill::check_drill;
pub(crate) use journey::check_journey;
pub(crate) use must_be::VERDICTS;
pub(crate) use problems::Problems;
