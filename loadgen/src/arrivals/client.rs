//! A pooled HTTP/1.1 client that sends each request exactly once.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::transport::{Outcome, OutgoingRequest, Transport, chain, keep_chunk};

/// Idle connections are given up before a server usually would, so that fewer requests meet a closing one.
const IDLE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
pub(crate) struct PooledClient(Client<HttpConnector, Full<Bytes>>);

impl PooledClient {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // `retry_canceled_requests` stays on: hyper puts a request on another connection only when the pooled one
        // turned out to be closed before a byte was written. No service can have seen it, so it still counts once.
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Self(client)
    }

    async fn exchange(&self, outgoing: OutgoingRequest) -> Result<Outcome, Box<dyn Error + Send + Sync>> {
        let mut request = Request::builder().method(outgoing.method).uri(outgoing.url);
        if let Some(headers) = request.headers_mut() {
            *headers = outgoing.headers;
        }
        let request = request.body(Full::new(outgoing.body))?;
        let mut answer = match self.0.request(request).await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return Ok(Outcome::Refused(chain(&error))),
            Err(error) => return Err(error.into()),
        };
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(frame) = answer.body_mut().frame().await {
            if let Some(chunk) = frame?.data_ref() {
                keep_chunk(&mut body, chunk, outgoing.keep_body);
            }
        }
        Ok(Outcome::Answered { status, body })
    }
}

#[async_trait]
impl Transport for PooledClient {
    async fn send(&self, request: OutgoingRequest) -> Outcome {
        self.exchange(request).await.unwrap_or_else(|error| Outcome::Broken(chain(&*error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stale_connection;

    #[tokio::test]
    async fn a_connection_that_the_service_closed_between_requests_costs_none_of_them() {
        stale_connection::costs_no_request(&PooledClient::new()).await;
    }
}
