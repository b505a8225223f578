//! The auth service: registration, login, and checking tokens.

mod attempts;
mod passwords;
mod service;
mod tokens;

pub use service::serve;
