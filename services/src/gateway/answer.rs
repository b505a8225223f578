//! The body of an upstream's answer on its way to the client: passed on piece by piece, never kept.
//!
//! An upstream that breaks off or falls silent in the middle ends the body with an error, so that the
//! client's connection is cut too: a part never looks like the whole.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

/// Why the rest of an answer will not come.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("the {upstream} service broke off its answer")]
    Broken { upstream: &'static str, source: hyper::Error },
    #[error("the {upstream} service fell silent in the middle of its answer")]
    Silent { upstream: &'static str },
}

/// A body that may pause for a while, but not for longer.
pub(super) struct AnswerBody {
    upstream: &'static str,
    incoming: Incoming,
    longest_pause: Duration,
    /// Runs while the upstream, not the client, is being waited for.
    pause: Option<Pin<Box<Sleep>>>,
}

impl AnswerBody {
    pub(super) fn new(upstream: &'static str, incoming: Incoming, longest_pause: Duration) -> Self {
        Self { upstream, incoming, longest_pause, pause: None }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        let this = &mut *self;
        let upstream = this.upstream;
        if let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(context) {
            this.pause = None;
            let frame = frame.map(|frame| {
                frame.map_err(|source| {
                    tracing::debug!(upstream, %source, "an upstream broke off its answer");
                    AnswerError::Broken { upstream, source }
                })
            });
            return Poll::Ready(frame);
        }
        let ends = Instant::now() + this.longest_pause;
        let pause = this.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(ends)));
        pause.as_mut().poll(context).map(|()| {
            tracing::debug!(upstream, "an upstream fell silent in the middle of its answer");
            Some(Err(AnswerError::Silent { upstream }))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
