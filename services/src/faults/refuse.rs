//! `refuse {}`: TCP connections are refused, and those that are open are closed, but the one that the order
//! came over.

use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::server::{ConnectionId, RefusalSwitch, Refusing};
use http::StatusCode;

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefuseOrder {}

/// Returns once connections are refused.
pub(super) async fn begin(switch: &RefusalSwitch, except: ConnectionId) -> Result<Refusing, ApiError> {
    switch.begin(except).await.ok_or_else(|| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the server did not stop listening in time")
    })
}
