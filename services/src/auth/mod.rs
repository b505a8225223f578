//! The auth service: registration, login, sessions with their tokens, and checking tokens.

mod accounts;
mod failed_logins;
mod metrics;
mod passwords;
mod refresh_token;
mod refusal;
mod service;
mod sessions;
mod tokens;

pub use service::serve;
