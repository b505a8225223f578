//! The user service: records of users.

mod profile;
mod records;
mod service;

pub use service::serve;
