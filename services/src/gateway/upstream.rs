//! Calling one upstream service: once, within its timeout, and counted by what came of it.

use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::config::UpstreamConfig;

/// Larger answers are not relayed.
const ANSWER_LIMIT_BYTES: usize = 8 * 1024 * 1024;
const IDLE_CONNECTIONS_KEPT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    upstream: &'static str,
    outcome: &'static str,
}

/// `upstream_requests_total`.
#[derive(Clone, Default)]
pub(super) struct Outcomes {
    family: Family<OutcomeLabels, Counter>,
}

impl Outcomes {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Calls of upstream services by what came of them";
        registry.register("upstream_requests", help, self.family.clone());
    }
}

/// One upstream's counters, each resolved once.
struct UpstreamOutcomes {
    /// 2xx to 5xx.
    answered: [Counter; 4],
    connect_error: Counter,
    timeout: Counter,
}

impl UpstreamOutcomes {
    fn new(upstream: &'static str, outcomes: &Outcomes) -> Self {
        let counter = |outcome| outcomes.family.get_or_create_owned(&OutcomeLabels { upstream, outcome });
        Self {
            answered: ["2xx", "3xx", "4xx", "5xx"].map(counter),
            connect_error: counter("connect_error"),
            timeout: counter("timeout"),
        }
    }

    fn count(&self, result: &Result<Response<Bytes>, UpstreamError>) {
        let counter = match result {
            Ok(response) => {
                let class = usize::from(response.status().as_u16() / 100).clamp(2, 5);
                &self.answered[class - 2]
            }
            Err(UpstreamError::Unreachable { .. }) => &self.connect_error,
            Err(UpstreamError::Timeout { .. }) => &self.timeout,
        };
        counter.inc();
    }
}

/// Why an upstream gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpstreamError {
    #[error("the {upstream} service could not be reached")]
    Unreachable { upstream: &'static str },
    #[error("the {upstream} service did not answer in time")]
    Timeout { upstream: &'static str },
}

impl UpstreamError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Unreachable { .. } => StatusCode::BAD_GATEWAY,
            Self::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

/// A service behind the gateway, with its own kept connections.
pub(super) struct Upstream {
    name: &'static str,
    authority: Authority,
    timeout: Duration,
    client: Client<HttpConnector, Full<Bytes>>,
    outcomes: UpstreamOutcomes,
}

impl Upstream {
    pub(super) fn new(name: &'static str, config: &UpstreamConfig, outcomes: &Outcomes) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTIONS_KEPT)
            .build(connector);
        let authority = config.url.authority().parse().expect("an http URL with a host has an authority");
        let outcomes = UpstreamOutcomes::new(name, outcomes);
        Self { name, authority, timeout: config.timeout, client, outcomes }
    }

    /// Makes one call. The answer is read to its end.
    pub(super) async fn call(
        &self,
        method: Method,
        target: PathAndQuery,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Bytes>, UpstreamError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.uri(target);
        *request.headers_mut() = headers;
        let result = match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Ok(result) => result,
            Err(_) => Err(UpstreamError::Timeout { upstream: self.name }),
        };
        self.outcomes.count(&result);
        result
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, UpstreamError> {
        let unreachable = |error: &dyn std::fmt::Display| {
            tracing::debug!(upstream = self.name, %error, "an upstream could not be reached");
            UpstreamError::Unreachable { upstream: self.name }
        };
        let response = self.client.request(request).await.map_err(|error| unreachable(&error))?;
        let (head, body) = response.into_parts();
        let body =
            Limited::new(body, ANSWER_LIMIT_BYTES).collect().await.map_err(|error| unreachable(&error))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    fn uri(&self, target: PathAndQuery) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(target);
        Uri::from_parts(parts).expect("scheme, authority and path make a URI")
    }
}
