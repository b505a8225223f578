//! The API gateway: an explicit table of routes, each relayed to one upstream, most of them only after the
//! auth service has said that the bearer token is good.
//!
//! One request makes exactly one call of `/verify` (where it is needed) and, if allowed, exactly one of the
//! upstream. What may have reached an upstream is never sent again. Answers and WebSockets are passed on as
//! they come; the gateway knows nothing of what they say.

mod answer;
mod headers;
mod openapi;
mod outcomes;
mod refusal;
mod relay;
mod service;
mod tunnel;
mod upstream;

pub use service::serve;
