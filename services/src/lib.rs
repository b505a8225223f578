//! The five instrumented services that are monitored: API gateway, auth, user, chat and notification.
//!
//! Each module `auth`, `user`, ... is one service with a `serve(listener, config, shutdown)`. They know
//! nothing of whoever loads them, breaks them, scrapes them or judges them; the fault switch in `faults`
//! is an ordinary, authenticated admin route.

mod assembly;
pub mod auth;
mod body_deadline;
pub mod chat;
mod command;
mod config;
mod error;
mod extract;
mod faults;
pub mod gateway;
mod healthcheck;
pub mod notification;
mod request_id;
mod secret;
mod server;
mod store;
pub mod user;

pub use command::{ServiceName, run};
pub use config::{
    AuthConfig, ConfigError, FaultSwitchConfig, GatewayConfig, ServiceConfig, StoreServiceConfig,
    UpstreamConfig,
};
pub use secret::Secret;
pub use server::ServeError;
