//! `healthcheck <url>`: one GET, for containers that hold nothing but this binary.

use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, Uri};
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

const TIMEOUT: Duration = Duration::from_secs(2);

/// Why a service is not known to be healthy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unhealthy {
    #[error("{url} answered {status}")]
    Answered { url: Uri, status: StatusCode },
    #[error("{url} could not be reached: {reason}")]
    Unreachable { url: Uri, reason: String },
    #[error("{url} did not answer within {} s", TIMEOUT.as_secs())]
    Silent { url: Uri },
}

pub(crate) async fn check(url: Uri) -> Result<(), Unhealthy> {
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    match tokio::time::timeout(TIMEOUT, client.get(url.clone())).await {
        Err(_) => Err(Unhealthy::Silent { url }),
        Ok(Err(error)) => {
            let cause =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            Err(Unhealthy::Unreachable { url, reason: cause })
        }
        Ok(Ok(response)) if response.status() == StatusCode::OK => Ok(()),
        Ok(Ok(response)) => Err(Unhealthy::Answered { url, status: response.status() }),
    }
}
