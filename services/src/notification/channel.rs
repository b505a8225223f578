//! The ways an alert can go: one variant each, which sends a job once and says what came of it.
//!
//! Knows nothing of queues, attempts and waiting.

use std::time::Duration;

use super::config::NotificationConfig;
use super::email::Email;
use super::http_post::HttpPost;
use super::queue::Job;
use super::{log, slack};

/// A configured channel.
pub(super) enum Channel {
    /// A line in this service's log for each alert.
    Log,
    /// The delivery as JSON.
    Webhook(HttpPost),
    /// A Slack message.
    Slack(HttpPost),
    /// A mail.
    Email(Box<Email>),
}

/// Why a job was not sent. Shows no secret.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(super) struct SendError {
    pub(super) reason: String,
    pub(super) again: Again,
}

/// Whether another attempt makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Yes; not before this time, if the other side said so.
    Later(Option<Duration>),
    /// The other side will never take it.
    Never,
}

impl Channel {
    /// All that are configured.
    pub(super) fn all(config: &NotificationConfig) -> Vec<Self> {
        let timeout = config.sending.timeout;
        let mut channels = Vec::new();
        channels.extend(config.log.then_some(Self::Log));
        channels.extend(config.webhook.as_ref().map(|endpoint| Self::Webhook(HttpPost::new(endpoint))));
        channels.extend(config.slack.as_ref().map(|endpoint| Self::Slack(HttpPost::new(endpoint))));
        channels.extend(config.email.as_ref().map(|email| Self::Email(Box::new(Email::new(email, timeout)))));
        channels
    }

    /// As in metrics, keys and dead letters.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::Email(_) => "email",
        }
    }

    /// One attempt, unbounded in time.
    pub(super) async fn send(&self, job: &Job) -> Result<(), SendError> {
        match self {
            Self::Log => {
                log::write(job);
                Ok(())
            }
            Self::Webhook(post) => {
                let mut body = serde_json::json!(job.notification);
                body["sequence"] = job.sequence.into();
                post.send(job.id, &body).await
            }
            Self::Slack(post) => post.send(job.id, &slack::message(&job.notification)).await,
            Self::Email(email) => email.send(job).await,
        }
    }
}
