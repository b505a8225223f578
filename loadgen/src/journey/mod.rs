//! Closed model: users who each wait for their answers, run by goose.
//!
//! A journey becomes a goose scenario, each of its steps a transaction. goose starts the users and schedules their
//! transactions; what is sent and counted is decided here, because goose's own metrics know neither refused nor
//! unknown requests.

mod attack;
mod client;
mod user;

pub(crate) use attack::{Attack, Crew};
pub(crate) use user::JourneyUser;
