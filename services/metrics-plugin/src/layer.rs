//! The tower layer: opens a request before the service sees it and closes it with the response head.
//!
//! Knows nothing of routes or label sets; the recorder does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{Request, StatusCode};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::recorder::{OpenRequest, Recorder};

/// Counts every request that passes. Put it outermost, around the whole router.
#[derive(Debug, Clone)]
pub struct MetricsLayer {
    recorder: Arc<Recorder>,
}

impl MetricsLayer {
    pub(crate) fn new(recorder: Arc<Recorder>) -> Self {
        Self { recorder }
    }
}

impl<S> Layer<S> for MetricsLayer {
    type Service = MetricsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        MetricsService { inner, recorder: Arc::clone(&self.recorder) }
    }
}

/// The service that [`MetricsLayer`] makes.
#[derive(Debug, Clone)]
pub struct MetricsService<S> {
    inner: S,
    recorder: Arc<Recorder>,
}

impl<S, B> Service<Request<B>> for MetricsService<S>
where
    S: Service<Request<B>, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let open = Arc::clone(&self.recorder).open(request.method(), request.uri().path());
        let inner = catch_unwind(AssertUnwindSafe(|| self.inner.call(request))).ok();
        ResponseFuture { inner, open: Some(open) }
    }
}

pin_project! {
    /// Resolves to the response, a panic having become a 500. Dropped before that, it counts a 499.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        // None when the service panicked before it returned a future.
        #[pin]
        inner: Option<F>,
        open: Option<OpenRequest>,
    }
}

impl<F, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response, E>>,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = match this.inner.as_pin_mut() {
            Some(inner) => catch_unwind(AssertUnwindSafe(|| inner.poll(context))).ok(),
            None => None,
        };
        let result = match polled {
            Some(Poll::Pending) => return Poll::Pending,
            Some(Poll::Ready(result)) => result,
            None => Ok(panicked()),
        };
        if let Some(open) = this.open.take() {
            open.finish(
                result.as_ref().map_or(StatusCode::INTERNAL_SERVER_ERROR, axum::response::Response::status),
            );
        }
        Poll::Ready(result)
    }
}

#[cold]
fn panicked() -> Response {
    let body = Json(serde_json::json!({ "error": "internal error" }));
    (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
}
