//! Calling one upstream service: once, within its timeout, and counted by what came of it.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::answer::AnswerBody;
use super::outcomes::{Outcomes, UpstreamOutcomes};
use crate::config::UpstreamConfig;

/// Below what an upstream keeps an idle connection for: it should be the gateway that closes first, since a
/// request sent into a closing connection is lost.
const IDLE_CONNECTIONS_KEPT: Duration = Duration::from_secs(30);
/// Of an answer. One with more of them, or with a head over the size, is no answer.
const MOST_HEADERS: usize = 100;
const LARGEST_HEAD_BYTES: usize = 32 * 1024;
/// Of an answer that is read for the gateway itself.
const LARGEST_READ_BODY_BYTES: usize = 64 * 1024;

/// Why an upstream gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpstreamError {
    #[error("the {upstream} service could not be reached")]
    Unreachable { upstream: &'static str },
    #[error("the {upstream} service did not answer in time")]
    Timeout { upstream: &'static str },
    #[error("the {upstream} service broke off its answer")]
    Broken { upstream: &'static str },
}

impl UpstreamError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } => StatusCode::BAD_GATEWAY,
            Self::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

/// A service behind the gateway, with its own kept connections.
pub(super) struct Upstream {
    name: &'static str,
    authority: Authority,
    /// The longest time from a request to the head of its answer, and between two pieces of its body.
    timeout: Duration,
    client: Client<HttpConnector, Full<Bytes>>,
    outcomes: UpstreamOutcomes,
}

impl Upstream {
    pub(super) fn new(name: &'static str, config: &UpstreamConfig, outcomes: &Outcomes) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // Earlier than the call's own timeout, which says that the request was sent.
        connector.set_connect_timeout(Some(config.timeout / 2));
        // A request that found its kept connection closed before anything was sent takes another one.
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTIONS_KEPT)
            .http1_max_headers(MOST_HEADERS)
            .http1_max_buf_size(LARGEST_HEAD_BYTES)
            .build(connector);
        let authority = config.url.authority().parse().expect("an http URL with a host has an authority");
        Self { name, authority, timeout: config.timeout, client, outcomes: outcomes.of(name) }
    }

    /// It answered, but with something that cannot be passed on.
    pub(super) fn broken(&self) -> UpstreamError {
        UpstreamError::Broken { upstream: self.name }
    }

    /// Makes one call, until the head of the answer.
    pub(super) async fn call(
        &self,
        method: Method,
        target: PathAndQuery,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<AnswerBody>, UpstreamError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.uri(target);
        *request.headers_mut() = headers;
        let upstream = self.name;
        let open = self.outcomes.open();
        match tokio::time::timeout(self.timeout, self.client.request(request)).await {
            Ok(Ok(response)) => {
                open.answered(response.status());
                Ok(response.map(|body| AnswerBody::new(upstream, body, self.timeout)))
            }
            Ok(Err(error)) => {
                tracing::debug!(upstream, error = error.to_string(), cause = error.source(), "a call failed");
                if was_never_sent(&error) {
                    open.never_sent();
                    Err(UpstreamError::Unreachable { upstream })
                } else {
                    open.broke();
                    Err(UpstreamError::Broken { upstream })
                }
            }
            Err(_) => {
                open.timed_out();
                Err(UpstreamError::Timeout { upstream })
            }
        }
    }

    /// Makes one call whose answer is for the gateway itself, and reads it to its end: its body may take as
    /// long again as its head.
    pub(super) async fn ask(
        &self,
        method: Method,
        target: PathAndQuery,
        headers: HeaderMap,
    ) -> Result<Response<Bytes>, UpstreamError> {
        let upstream = self.name;
        let (head, body) = self.call(method, target, headers, Bytes::new()).await?.into_parts();
        let whole = Limited::new(body, LARGEST_READ_BODY_BYTES).collect();
        match tokio::time::timeout(self.timeout, whole).await {
            Ok(Ok(body)) => Ok(Response::from_parts(head, body.to_bytes())),
            Ok(Err(_)) => Err(UpstreamError::Broken { upstream }),
            Err(_) => Err(UpstreamError::Timeout { upstream }),
        }
    }

    fn uri(&self, target: PathAndQuery) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(target);
        Uri::from_parts(parts).expect("scheme, authority and path make a URI")
    }
}

/// Whether the upstream cannot have seen anything of the request.
fn was_never_sent(error: &hyper_util::client::legacy::Error) -> bool {
    let canceled = || error.source().and_then(|cause| cause.downcast_ref::<hyper::Error>());
    error.is_connect() || canceled().is_some_and(hyper::Error::is_canceled)
}
