//! The notification service: it receives Alertmanager's webhook, keeps every delivery for whoever asks,
//! sends each alert to its channels, and keeps the users' own notifications.

mod deliveries;
mod messages;
mod sent;
mod service;
mod webhook;

pub use service::serve;
pub(crate) use webhook::LOG_CHANNEL_TARGET;
