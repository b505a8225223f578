//! One connection: HTTP/1.1 with its limits, from the first byte to the last, or to its upgrade.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::response::Response;
use http::{Request, StatusCode};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_plugin::MetricsService;
use pin_project_lite::pin_project;
use tower::Service;

use super::malformed::Malformed;
use super::stop::Stopping;
use super::stream::{Control, Stream};

/// A head with more is answered 431.
const MOST_HEADERS: usize = 100;
/// A longer head is answered 431; it is also what is read ahead of a body.
const LONGEST_HEAD_BYTES: usize = 16 * 1024;

/// Which connection a request came over; among the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionId(pub(super) u64);

/// Serves a connection to its end.
pub(super) async fn converse(
    stream: Stream,
    (id, peer): (ConnectionId, Option<SocketAddr>),
    service: MetricsService<Router>,
    malformed: Malformed,
    mut stopping: Stopping,
) {
    let control = stream.control();
    let answering = Arc::clone(&control);
    let answer = service_fn(move |request: Request<Incoming>| {
        let control = Arc::clone(&answering);
        control.request_begins();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(id);
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        let answered = service.clone().call(request);
        async move { answered.await.map(|response| tell_when_ended(response, control)) }
    });
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            // The stream sees to it: an unused connection may wait longer than a head may take.
            .header_read_timeout(None)
            .max_headers(MOST_HEADERS)
            .max_header_size(LONGEST_HEAD_BYTES)
            .max_buf_size(LONGEST_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), answer)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.begun() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    let Err(error) = ended else { return };
    tracing::debug!(%error, "a connection broke");
    if control.head_was_too_slow() {
        malformed.too_slow.inc();
    } else if error.is_parse_too_large() {
        malformed.too_large.inc();
    } else if error.is_parse() {
        malformed.syntax.inc();
    }
}

/// The connection is idle from the last byte of the response on, unless it became something else.
fn tell_when_ended(response: Response, control: Arc<Control>) -> Response {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    response.map(|body| Body::new(Answering { body, _ended: Ended(control) }))
}

struct Ended(Arc<Control>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.request_ended();
    }
}

pin_project! {
    /// A response body that tells of its end.
    struct Answering {
        #[pin]
        body: Body,
        _ended: Ended,
    }
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.project().body.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
