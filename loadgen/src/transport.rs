//! What a request is and how it can end, whoever carries it.
//!
//! Redirects, retries and proxies are nobody's business here: each carrier turns them off.

use std::error::Error;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method};

/// Most bytes of an answer that are kept to capture values from; the rest is read and dropped.
pub(crate) const MAX_KEPT_BODY: usize = 4 << 20;

/// A request ready to be sent.
#[derive(Debug)]
pub(crate) struct OutgoingRequest {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the answer's body is wanted; it is read to its end in any case.
    pub(crate) keep_body: bool,
}

/// How a request ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Answered, and the answer read to its end.
    Answered { status: u16, body: Vec<u8> },
    /// No connection could be made: the service never saw it.
    Refused(String),
    /// It was perhaps sent, and its answer was not seen whole.
    Broken(String),
}

/// Carries requests.
#[async_trait]
pub(crate) trait Transport: Send + Sync {
    /// Sends `request` once and reads its answer to the end.
    async fn send(&self, request: OutgoingRequest) -> Outcome;
}

/// Adds a chunk to a kept body as far as it may grow.
pub(crate) fn keep_chunk(body: &mut Vec<u8>, chunk: &[u8], keep: bool) {
    if keep {
        body.extend_from_slice(&chunk[..chunk.len().min(MAX_KEPT_BODY - body.len())]);
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
