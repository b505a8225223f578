//! The user service: records of users.

mod conditions;
mod cursor;
mod profile;
mod records;
mod scripts;
mod service;

pub use service::serve;
