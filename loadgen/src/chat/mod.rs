//! Chat over WebSockets: members join rooms, speak in turn at a constant rate over all rooms, and hear each other.
//!
//! Connections are made once: a member whose connection ends is gone for the rest of the load, and its room expects
//! one delivery less of each later message.

mod deliveries;
mod load;
mod member;
mod turns;

pub(crate) use load::{Chat, ChatPlan};
