//! The chat service: rooms over WebSocket, joined across processes by Redis pub/sub, with a history that members
//! come back to.

mod backlog;
mod heartbeat;
mod history;
mod hub;
mod metrics;
mod room_name;
mod sequence;
mod service;
mod session;
mod subscription;

pub use service::serve;
