//! The name of one request through all services and their logs: `x-request-id`, taken from the client
//! when it is a sensible one, else made here.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

/// The header, of requests and of their responses.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST: usize = 64;

/// The identifier of a request; among its extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// As a header's value.
    pub(crate) fn header(&self) -> &HeaderValue {
        &self.0
    }

    fn of(request: &Request) -> Self {
        match request.headers().get(REQUEST_ID) {
            Some(given) if is_sensible(given) => Self(given.clone()),
            Some(_) | None => Self::new(),
        }
    }

    fn new() -> Self {
        let text = Uuid::new_v4().to_string();
        Self(HeaderValue::try_from(text).expect("a UUID is of letters, digits and dashes"))
    }

    fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

fn is_sensible(given: &HeaderValue) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=LONGEST).contains(&given.len()) && given.as_bytes().iter().all(allowed)
}

/// Names the request to its handler (extension and header), to its log lines, and to the client.
pub(crate) async fn name_request(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(&request);
    // In the header too, so that whoever relays the request relays its name.
    request.headers_mut().insert(REQUEST_ID, id.header().clone());
    request.extensions_mut().insert(id.clone());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    // At the level of errors: a line of any level that is logged has it.
    let span = tracing::error_span!("request", request_id = id.as_str());
    async move {
        let mut response = next.run(request).await;
        let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
        let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
        tracing::debug!(%method, route, status = response.status().as_u16(), milliseconds, "answered");
        response.headers_mut().insert(REQUEST_ID, id.0);
        response
    }
    .instrument(span)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_short_plain_name_is_taken() {
        let taken = |text: &[u8]| is_sensible(&HeaderValue::from_bytes(text).expect("a header's value"));
        assert!(taken(b"a") && taken(b"7f3A._-") && taken(&[b'a'; 64]));
        for refused in [&b""[..], &[b'a'; 65], b"a b", b"a/b", b"a\"b", b"\xff"] {
            assert!(!taken(refused), "{refused:?}");
        }
    }

    #[test]
    fn a_made_name_would_be_taken_by_the_next_service() {
        assert!(is_sensible(RequestId::new().header()));
        assert_ne!(RequestId::new(), RequestId::new());
    }
}
