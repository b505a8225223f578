//! Request bodies have to arrive in time: a client that dribbles gets 408 and loses its connection.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use hyper::body::{Frame, SizeHint};
use tokio::time::Sleep;

use crate::error::ApiError;

/// From the first attempt to read a body to its last byte.
const LONGEST_BODY: Duration = Duration::from_secs(10);

/// Answers 408 in place of what the handler made of a body that did not arrive.
pub(crate) async fn bound_body(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let late = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&late);
    let request = request.map(|body| Body::new(BoundedBody { body, deadline: None, late: told }));
    let response = next.run(request).await;
    if !late.load(Ordering::Relaxed) {
        return response;
    }
    let mut response =
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time").into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A body whose reading fails after its deadline.
struct BoundedBody {
    body: Body,
    /// Set by the first read that has to wait.
    deadline: Option<Pin<Box<Sleep>>>,
    late: Arc<AtomicBool>,
}

#[derive(Debug, thiserror::Error)]
#[error("the body did not arrive within {} s", LONGEST_BODY.as_secs())]
struct TooSlow;

impl HttpBody for BoundedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_ready() {
            return polled;
        }
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(LONGEST_BODY)));
        if deadline.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.late.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(axum::Error::new(TooSlow))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::post;
    use futures_util::StreamExt;
    use futures_util::stream;
    use tower::ServiceExt;

    use super::*;

    async fn answer(body: Body) -> Response {
        let app = Router::new()
            .route("/", post(|body: Bytes| async move { body.len().to_string() }))
            .layer(from_fn(bound_body));
        app.oneshot(Request::post("/").body(body).expect("valid")).await.expect("infallible")
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_dribbles_past_the_deadline_is_answered_408() {
        let dribble = stream::repeat(()).then(|()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, std::io::Error>("x")
        });
        let response = answer(Body::from_stream(dribble)).await;
        assert_eq!(response.status(), 408);
        assert_eq!(response.headers()[header::CONNECTION], "close");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_arrives_in_time_is_read() {
        let slow = stream::repeat(()).take(9).then(|()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, std::io::Error>("x")
        });
        assert_eq!(answer(Body::from_stream(slow)).await.status(), 200);
        assert_eq!(answer(Body::from("whole")).await.status(), 200);
        assert_eq!(answer(Body::empty()).await.status(), 200);
    }
}
