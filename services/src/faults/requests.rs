//! What the faults in force do to one request of the application.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::errors::Errors;
use super::hang::Hang;
use super::latency::Latency;
use super::slot::Slot;
use super::slow_body::SlowBody;
use crate::error::ApiError;
use crate::extract::BODY_LIMIT_BYTES;

/// Longer than any client waits.
pub(super) const LONGEST_DELAY_MS: u64 = 600_000;

/// The kinds that touch requests.
#[derive(Default)]
pub(super) struct RequestFaults {
    pub(super) errors: Slot<Errors>,
    pub(super) latency: Slot<Latency>,
    pub(super) hang: Slot<Hang>,
    pub(super) slow_body: Slot<SlowBody>,
}

impl RequestFaults {
    /// In this order: it hangs, it waits, it fails or is answered, and the answer dribbles.
    pub(super) async fn answer(&self, request: Request, next: Next) -> Response {
        if let Some(mut released) = self.hang.strike(|hang| Some(hang.until())) {
            released.wait().await;
        }
        let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
        if let Some(delay) = self.latency.strike(|latency| latency.of(route)) {
            tokio::time::sleep(delay).await;
        }
        let response = if self.errors.strike(Errors::next).is_some() {
            // The body is read all the same: answering before it has arrived would cost the client its
            // connection.
            let _ = axum::body::to_bytes(request.into_body(), BODY_LIMIT_BYTES).await;
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "injected").into_response()
        } else {
            next.run(request).await
        };
        match self.slow_body.strike(|slow| Some(slow.pace())) {
            Some(pace) => pace.slow_down(response),
            None => response,
        }
    }
}
