//! What the gateway answers for itself, told apart from an upstream's answers by its words.

use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};

use super::upstream::UpstreamError;
use crate::error::ApiError;

/// When nobody said after how many seconds to come back.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// Why a request was not relayed, or its answer not given.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The client's mistake.
    Request(ApiError),
    /// The token is no good, or nobody could say.
    Verification(VerificationError),
    /// The upstream gave no answer.
    Upstream(UpstreamError),
}

/// Why a request was not let through.
#[derive(Debug, thiserror::Error)]
pub(super) enum VerificationError {
    #[error("the token is missing or not valid")]
    Refused,
    #[error("the token could not be checked: {0}")]
    NoAnswer(UpstreamError),
    #[error("the token could not be checked: the auth service is unavailable")]
    Unavailable { retry_after: Option<HeaderValue> },
    #[error("the token could not be checked: the auth service answered {status}")]
    Unexpected { status: StatusCode },
}

impl VerificationError {
    /// Not being able to check is the gateway's own unavailability, with when to come back.
    fn status(&self) -> (StatusCode, Option<HeaderValue>) {
        match self {
            Self::Refused => (StatusCode::UNAUTHORIZED, None),
            Self::NoAnswer(UpstreamError::Unreachable { .. }) => {
                (StatusCode::SERVICE_UNAVAILABLE, Some(RETRY_AFTER_SECONDS))
            }
            Self::NoAnswer(error) => (error.status(), None),
            Self::Unavailable { retry_after } => {
                (StatusCode::SERVICE_UNAVAILABLE, Some(retry_after.clone().unwrap_or(RETRY_AFTER_SECONDS)))
            }
            Self::Unexpected { .. } => (StatusCode::BAD_GATEWAY, None),
        }
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self::Request(error)
    }
}

impl From<VerificationError> for Refusal {
    fn from(error: VerificationError) -> Self {
        Self::Verification(error)
    }
}

impl From<UpstreamError> for Refusal {
    fn from(error: UpstreamError) -> Self {
        Self::Upstream(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Request(error) => error.into_response(),
            Self::Upstream(error) => ApiError::new(error.status(), error.to_string()).into_response(),
            Self::Verification(error) => {
                let (status, retry_after) = error.status();
                let mut response = ApiError::new(status, error.to_string()).into_response();
                if let Some(seconds) = retry_after {
                    response.headers_mut().insert(RETRY_AFTER, seconds);
                }
                response
            }
        }
    }
}
