//! The chat service: rooms over WebSocket, joined across processes by Redis pub/sub.

mod hub;
mod metrics;
mod room_name;
mod service;
mod session;
mod subscription;

pub use service::serve;
