//! The calls.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use url::Url;

use super::envelope::{DecodeError, decode};
use super::{
    ActiveAlerts, Alertmanagers, BuildInfo, ConfigYaml, Flags, MetricMetadata, QueryValue, RuleGroups,
    RuntimeInfo, Series, Targets,
};
use crate::transport::{Answer, Transport};
use crate::{ApiError, Labels, MetricsText, Reply};

/// A client of one Prometheus. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Prometheus {
    transport: Transport,
}

impl Prometheus {
    /// A client of the server at `base`, such as `http://127.0.0.1:9090` or `http://mimir/prometheus`.
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

    /// The same client sending one more header, such as `X-Scope-OrgID`.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.transport.set_header(name, value);
        self
    }

    /// The address of the server.
    pub fn base(&self) -> &Url {
        self.transport.base()
    }

    /// Whether the server is ready: an error of status 503 until it is.
    pub async fn ready(&self) -> Result<Reply<()>, ApiError> {
        self.transport.get(self.transport.url(&["-", "ready"], &[])).await?.statement()
    }

    /// Which build runs.
    pub async fn build_info(&self) -> Result<Reply<BuildInfo>, ApiError> {
        self.api(&["status", "buildinfo"], &[]).await
    }

    /// Evaluates `expr` at `time`, or now.
    pub async fn query(&self, expr: &str, time: Option<Timestamp>) -> Result<Reply<QueryValue>, ApiError> {
        let time = time.map(|time| time.to_string());
        let mut query = vec![("query", expr)];
        query.extend(time.as_deref().map(|time| ("time", time)));
        self.api(&["query"], &query).await
    }

    /// The stored samples of `selector` (with its range, as in `up[5000ms]`) at `time`, or now: no interpolation,
    /// the timestamps of the scrapes. A selector without range is [`ApiError::Malformed`].
    pub async fn query_raw_range(
        &self,
        selector: &str,
        time: Option<Timestamp>,
    ) -> Result<Reply<Vec<Series>>, ApiError> {
        let time = time.map(|time| time.to_string());
        let mut query = vec![("query", selector)];
        query.extend(time.as_deref().map(|time| ("time", time)));
        self.matrix("query", &query).await
    }

    /// Evaluates `expr` at `start`, `start + step`, … up to `end`. `step` is at least a millisecond.
    pub async fn query_range(
        &self,
        expr: &str,
        start: Timestamp,
        end: Timestamp,
        step: Duration,
    ) -> Result<Reply<Vec<Series>>, ApiError> {
        let (start, end) = (start.to_string(), end.to_string());
        let step = format!("{}ms", step.as_millis());
        self.matrix("query_range", &[("query", expr), ("start", &start), ("end", &end), ("step", &step)])
            .await
    }

    /// The loaded rules and their alerts.
    pub async fn rules(&self) -> Result<Reply<RuleGroups>, ApiError> {
        self.api(&["rules"], &[]).await
    }

    /// The pending and firing alerts.
    pub async fn alerts(&self) -> Result<Reply<ActiveAlerts>, ApiError> {
        self.api(&["alerts"], &[]).await
    }

    /// Active and dropped targets.
    pub async fn targets(&self) -> Result<Reply<Targets>, ApiError> {
        self.api(&["targets"], &[("state", "any")]).await
    }

    /// The Alertmanagers the server notifies.
    pub async fn alertmanagers(&self) -> Result<Reply<Alertmanagers>, ApiError> {
        self.api(&["alertmanagers"], &[]).await
    }

    /// The loaded configuration.
    pub async fn config_yaml(&self) -> Result<Reply<ConfigYaml>, ApiError> {
        self.api(&["status", "config"], &[]).await
    }

    /// The command line flags.
    pub async fn flags(&self) -> Result<Reply<Flags>, ApiError> {
        self.api(&["status", "flags"], &[]).await
    }

    /// The state of the running server.
    pub async fn runtime_info(&self) -> Result<Reply<RuntimeInfo>, ApiError> {
        self.api(&["status", "runtimeinfo"], &[]).await
    }

    /// The series that match `selector` between `start` and `end`.
    pub async fn series(
        &self,
        selector: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Reply<Vec<Labels>>, ApiError> {
        let (start, end) = (start.to_string(), end.to_string());
        self.api(&["series"], &[("match[]", selector), ("start", &start), ("end", &end)]).await
    }

    /// What the targets say about their metrics, by metric (a counter under its family's name).
    pub async fn metadata(&self) -> Result<Reply<BTreeMap<String, Vec<MetricMetadata>>>, ApiError> {
        self.api(&["metadata"], &[]).await
    }

    /// Reloads the configuration; needs `--web.enable-lifecycle`. A configuration that is refused is
    /// [`ApiError::Status`] 500 with the reason.
    pub async fn reload(&self) -> Result<Reply<()>, ApiError> {
        self.transport.send(Method::POST, self.transport.url(&["-", "reload"], &[])).await?.done()
    }

    /// The server's own metrics.
    pub async fn metrics_text(&self) -> Result<Reply<MetricsText>, ApiError> {
        self.transport.get(self.transport.url(&["metrics"], &[])).await?.metrics()
    }

    async fn api<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Reply<T>, ApiError> {
        let segments: Vec<&str> = ["api", "v1"].iter().chain(segments).copied().collect();
        read(self.transport.get(self.transport.url(&segments, query)).await?)
    }

    async fn matrix(&self, call: &str, query: &[(&str, &str)]) -> Result<Reply<Vec<Series>>, ApiError> {
        let reply = self.api::<QueryValue>(&[call], query).await?;
        match reply.parsed {
            QueryValue::Matrix(series) => {
                Ok(Reply { parsed: series, raw: reply.raw, warnings: reply.warnings })
            }
            other => Err(ApiError::Malformed {
                url: self.transport.url(&["api", "v1", call], query).into(),
                problem: format!("expected a matrix, got a {}", other.type_name()),
                excerpt: crate::error::excerpt(&reply.raw),
            }),
        }
    }
}

/// The API's own error format wins over the status.
fn read<T: DeserializeOwned>(answer: Answer) -> Result<Reply<T>, ApiError> {
    match decode(&answer.body) {
        Err(DecodeError::Api { error_type, error }) => Err(ApiError::Api { error_type, error }),
        decoded => {
            let answer = answer.success()?;
            match decoded {
                Ok(decoded) => {
                    Ok(Reply { parsed: decoded.data, raw: answer.body, warnings: decoded.warnings })
                }
                Err(problem) => Err(answer.malformed(problem.to_string())),
            }
        }
    }
}
