//! The calls.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use url::Url;

use super::{AlertFilter, AlertGroup, GettableAlert, GettableSilence, PostableSilence, SilenceId, Status};
use crate::transport::Transport;
use crate::{ApiError, MetricsText, Reply};

/// A client of one Alertmanager. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Alertmanager {
    transport: Transport,
}

impl Alertmanager {
    /// A client of the server at `base`, such as `http://127.0.0.1:9093`.
    pub fn new(base: Url) -> Result<Self, ApiError> {
        Ok(Self { transport: Transport::new(base)? })
    }

    /// The same client with another timeout for each call; the default is 5 s.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.transport.set_timeout(timeout);
        self
    }

    /// The same client with another bound for the size of a reply; the default is 64 MiB.
    #[must_use]
    pub fn with_max_body_bytes(mut self, max_body_bytes: usize) -> Self {
        self.transport.set_max_body_bytes(max_body_bytes);
        self
    }

    /// The same client sending one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.transport.set_header(name, value);
        self
    }

    /// The address of the server.
    pub fn base(&self) -> &Url {
        self.transport.base()
    }

    /// Whether the server is ready.
    pub async fn ready(&self) -> Result<Reply<()>, ApiError> {
        self.transport.get(self.transport.url(&["-", "ready"], &[])).await?.statement()
    }

    /// Configuration, version and cluster.
    pub async fn status(&self) -> Result<Reply<Status>, ApiError> {
        self.transport.get(self.api(&["status"], &[])).await?.json()
    }

    /// The alerts that pass `filter`.
    pub async fn alerts(&self, filter: &AlertFilter) -> Result<Reply<Vec<GettableAlert>>, ApiError> {
        let mut query = flags(filter);
        query.push(("unprocessed", "true"));
        self.transport.get(self.api(&["alerts"], &query)).await?.json()
    }

    /// The groups with the alerts that pass `filter`. Alerts not looked at yet are in no group.
    pub async fn alert_groups(&self, filter: &AlertFilter) -> Result<Reply<Vec<AlertGroup>>, ApiError> {
        self.transport.get(self.api(&["alerts", "groups"], &flags(filter))).await?.json()
    }

    /// All silences, expired ones included until they are forgotten.
    pub async fn silences(&self) -> Result<Reply<Vec<GettableSilence>>, ApiError> {
        self.transport.get(self.api(&["silences"], &[])).await?.json()
    }

    /// Creates a silence.
    pub async fn create_silence(&self, silence: &PostableSilence) -> Result<Reply<SilenceId>, ApiError> {
        self.transport.post_json(self.api(&["silences"], &[]), silence).await?.json()
    }

    /// Ends a silence now; it stays listed as expired.
    pub async fn delete_silence(&self, id: &str) -> Result<Reply<()>, ApiError> {
        self.transport.send(Method::DELETE, self.api(&["silence", id], &[])).await?.done()
    }

    /// Reloads the configuration. One that is refused is [`ApiError::Status`] 500 with the reason.
    pub async fn reload(&self) -> Result<Reply<()>, ApiError> {
        self.transport.send(Method::POST, self.transport.url(&["-", "reload"], &[])).await?.done()
    }

    /// The server's own metrics.
    pub async fn metrics_text(&self) -> Result<Reply<MetricsText>, ApiError> {
        self.transport.get(self.transport.url(&["metrics"], &[])).await?.metrics()
    }

    fn api(&self, segments: &[&str], query: &[(&str, &str)]) -> Url {
        let segments: Vec<&str> = ["api", "v2"].iter().chain(segments).copied().collect();
        self.transport.url(&segments, query)
    }
}

fn flags(filter: &AlertFilter) -> Vec<(&'static str, &str)> {
    let mut query = vec![
        ("active", truth(filter.active)),
        ("silenced", truth(filter.silenced)),
        ("inhibited", truth(filter.inhibited)),
    ];
    query.extend(filter.matchers.iter().map(|matcher| ("filter", matcher.as_str())));
    query.extend(filter.receiver.as_deref().map(|receiver| ("receiver", receiver)));
    query
}

fn truth(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}
