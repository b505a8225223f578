//! `slow_body {takes_ms}`: the head of an answer is sent at once, and its body in pieces over that time.

use std::time::Duration;

use axum::body::{Body, HttpBody, to_bytes};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::CONTENT_LENGTH;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::release::{Release, Released};
use super::requests::LONGEST_DELAY_MS;
use crate::error::ApiError;

const PIECES: usize = 20;

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SlowBodyOrder {
    takes_ms: u64,
}

/// In force; what is still to be sent when it ends is sent at once.
pub(super) struct SlowBody {
    takes: Duration,
    release: Release,
}

impl SlowBodyOrder {
    pub(super) fn check(&self) -> Result<(), ApiError> {
        if (1..=LONGEST_DELAY_MS).contains(&self.takes_ms) {
            Ok(())
        } else {
            Err(ApiError::invalid(format!("slow_body.takes_ms must be 1 to {LONGEST_DELAY_MS}")))
        }
    }
}

impl SlowBody {
    pub(super) fn new(order: &SlowBodyOrder) -> Self {
        Self { takes: Duration::from_millis(order.takes_ms), release: Release::new() }
    }

    pub(super) fn pace(&self) -> Pace {
        Pace { takes: self.takes, released: self.release.awaited() }
    }
}

/// How one body is to be sent.
pub(super) struct Pace {
    takes: Duration,
    released: Released,
}

impl Pace {
    pub(super) fn slow_down(self, response: Response) -> Response {
        let (mut head, body) = response.into_parts();
        let length = body.size_hint().exact();
        if length == Some(0) {
            // Nothing to slow down: 204, an upgrade, the answer to a HEAD.
            return Response::from_parts(head, body);
        }
        if let Some(length) = length {
            // As it would be told otherwise: the body is of unknown length from here on.
            head.headers.entry(CONTENT_LENGTH).or_insert(length.into());
        }
        let dribble = Dribble::Unread { body, pace: self };
        let pieces = stream::try_unfold(dribble, |dribble| async move { dribble.next().await });
        Response::from_parts(head, Body::from_stream(pieces))
    }
}

enum Dribble {
    Unread { body: Body, pace: Pace },
    Sending { rest: Bytes, piece: usize, due: Instant, every: Duration, released: Released },
}

impl Dribble {
    async fn next(self) -> Result<Option<(Bytes, Self)>, axum::Error> {
        let (mut rest, piece, due, every, mut released) = match self {
            Self::Unread { body, pace: Pace { takes, released } } => {
                let begun = Instant::now();
                // Bounded by what the service itself answers with.
                let whole = to_bytes(body, usize::MAX).await?;
                let piece = whole.len().div_ceil(PIECES).max(1);
                let pieces = u32::try_from(whole.len().div_ceil(piece)).unwrap_or(1).max(1);
                let every = takes / pieces;
                (whole, piece, begun + every, every, released)
            }
            Self::Sending { rest, piece, due, every, released } => (rest, piece, due, every, released),
        };
        if rest.is_empty() {
            return Ok(None);
        }
        let sent = tokio::select! {
            () = tokio::time::sleep_until(due) => rest.split_to(piece.min(rest.len())),
            () = released.wait() => std::mem::take(&mut rest),
        };
        Ok(Some((sent, Self::Sending { rest, piece, due: due + every, every, released })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sent(fault: SlowBody, body: &'static str, ends_after: Duration) -> (Bytes, Duration) {
        let response = fault.pace().slow_down(Response::new(Body::from(body)));
        assert_eq!(response.headers()[CONTENT_LENGTH], body.len().to_string());
        tokio::spawn(async move {
            tokio::time::sleep(ends_after).await;
            drop(fault);
        });
        let begun = Instant::now();
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a whole body");
        (body, begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_arrives_whole_and_takes_its_time() {
        for body in ["x", "four", "a body of more than twenty bytes, in some pieces"] {
            let fault = SlowBody::new(&SlowBodyOrder { takes_ms: 2000 });
            let (got, took) = sent(fault, body, Duration::from_mins(1)).await;
            assert_eq!(got, body);
            assert!((1990..=2030).contains(&took.as_millis()), "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_is_sent_at_once_when_the_fault_ends() {
        let fault = SlowBody::new(&SlowBodyOrder { takes_ms: 60_000 });
        let (got, took) = sent(fault, "a body", Duration::from_secs(20)).await;
        assert_eq!(got, "a body");
        assert!((20_000..20_100).contains(&took.as_millis()), "{took:?}");
    }
}
