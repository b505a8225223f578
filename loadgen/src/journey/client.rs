//! goose's HTTP client, set up so that each request is sent exactly once to exactly the address it names.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::redirect::Policy;
use reqwest::{Client, Error, retry};

use crate::transport::{Outcome, OutgoingRequest, Transport, chain, keep_chunk};

/// Idle connections are given up before a server usually would, so that fewer requests meet a closing one.
const IDLE: Duration = Duration::from_secs(20);

/// One client for all users: no redirects, no retries, no proxy from the environment, no compression.
///
/// hyper below it may still put a request on a fresh connection when the pooled one turned out to be closed before a
/// byte was written; no service can have seen that request, so it counts once.
pub(crate) fn shared_client() -> Result<Client, Error> {
    Client::builder()
        .redirect(Policy::none())
        .retry(retry::never())
        .no_proxy()
        .no_gzip()
        .tcp_nodelay(true)
        .pool_idle_timeout(IDLE)
        .build()
}

#[async_trait]
impl Transport for Client {
    async fn send(&self, outgoing: OutgoingRequest) -> Outcome {
        let keep = outgoing.keep_body;
        match exchange(self, outgoing, keep).await {
            Ok((status, body)) => Outcome::Answered { status, body },
            Err(error) if error.is_connect() => Outcome::Refused(chain(&error)),
            Err(error) => Outcome::Broken(chain(&error)),
        }
    }
}

async fn exchange(client: &Client, outgoing: OutgoingRequest, keep: bool) -> Result<(u16, Vec<u8>), Error> {
    let mut answer = client
        .request(outgoing.method, outgoing.url)
        .headers(outgoing.headers)
        .body(outgoing.body)
        .send()
        .await?;
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    // A body that is not read to its end costs the connection.
    while let Some(chunk) = answer.chunk().await? {
        keep_chunk(&mut body, &chunk, keep);
    }
    Ok((status, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stale_connection;

    #[tokio::test]
    async fn a_connection_that_the_service_closed_between_requests_costs_none_of_them() {
        stale_connection::costs_no_request(&shared_client().unwrap()).await;
    }
}
