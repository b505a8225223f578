//! Posting JSON to one URL, over a connection of its own.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use uuid::Uuid;

use super::channel::{Again, SendError};
use super::config::Endpoint;

/// The same in every attempt at one job.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Where to post.
pub(super) struct HttpPost {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    endpoint: Endpoint,
}

impl HttpPost {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .expect("this provider supports the default versions of TLS")
            .https_or_http()
            .enable_http1()
            .build();
        // Notifications are rare: an idle connection would mostly have been closed by the other side.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Self { client, endpoint: endpoint.clone() }
    }

    /// Sent when the answer is 2xx. Redirects are not followed.
    pub(super) async fn send(&self, id: Uuid, body: &Value) -> Result<(), SendError> {
        let request = Request::post(self.endpoint.uri())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "firedrill-notification")
            .header(IDEMPOTENCY_KEY, id.to_string())
            .body(Full::from(body.to_string()))
            .map_err(|error| SendError { reason: error.to_string(), again: Again::Never })?;
        let answer = self
            .client
            .request(request)
            .await
            .map_err(|error| SendError { reason: chain(&error), again: Again::Later(None) })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let after = answer.headers().get(header::RETRY_AFTER);
        let after = after.and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
        Err(SendError { reason: format!("the answer was {}", status.as_u16()), again: again(status, after) })
    }
}

fn again(status: StatusCode, after: Option<Duration>) -> Again {
    let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    if status.is_server_error() || passing.contains(&status) { Again::Later(after) } else { Again::Never }
}

/// The client's errors name no URL.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_what_will_not_is_not() {
        for (status, expected) in [
            (StatusCode::INTERNAL_SERVER_ERROR, Again::Later(None)),
            (StatusCode::TOO_MANY_REQUESTS, Again::Later(None)),
            (StatusCode::BAD_REQUEST, Again::Never),
            (StatusCode::FOUND, Again::Never),
        ] {
            assert_eq!(again(status, None), expected, "{status}");
        }
    }
}
