//! The gateway before the real services, and before stand-ins where an upstream must misbehave.

mod headers;
mod openapi;
mod relaying;
mod routes;
mod stand_in;
mod streaming;
mod verification;
mod websocket;
