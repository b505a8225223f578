//! Chat over WebSockets: members join rooms, speak in turn at a constant rate over all rooms, and hear each other.
//!
//! A member whose connection ends while the load runs connects again, asking for what it has missed, until the load
//! stops. Which message the service certainly took, and who should have got it, is [`deliveries`]' business alone.

mod backoff;
mod deliveries;
mod joining;
mod load;
mod member;
mod turns;

pub(crate) use load::{Chat, ChatPlan};
