//! The workflow of `firedrill capacity`: what the stack samples a day today, and which rate one service carries until
//! its 99th percentile passes a limit.
//!
//! Each rate is a drill of its own on one stack, so that monitoring is held to the truth at every step. Latency counts
//! from the intended start: a generator that falls behind cannot hide a slow service.

mod findings;
mod ladder;

pub(crate) use findings::{Limits, findings};
pub(crate) use ladder::Ladder;
