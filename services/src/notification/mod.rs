//! The notification service: it receives Alertmanager's webhook, keeps every delivery for whoever asks,
//! sends each to its channels until it is sent or given up, and keeps the users' own notifications.

mod channel;
mod config;
mod dead_letters;
mod deliveries;
mod delivery;
mod email;
mod http_post;
mod log;
mod messages;
mod metrics;
mod queue;
mod retry;
mod service;
mod slack;
mod webhook;
mod worker;

pub use config::{EmailConfig, Endpoint, NotificationConfig, SendingConfig, WrongEmail};
pub(crate) use log::LOG_CHANNEL_TARGET;
pub use service::serve;
