//! The API gateway: an explicit table of routes, each relayed to one upstream, most of them only after the
//! auth service has said that the bearer token is good.
//!
//! One request makes exactly one call of `/verify` (where it is needed) and, if allowed, exactly one of the
//! upstream; nothing is retried.

mod relay;
mod service;
mod upstream;

pub use service::serve;
