//! Why this service does not do what was asked, with when to try again where that is known.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use super::passwords::PasswordError;
use crate::error::ApiError;
use crate::store::StoreError;

/// An error answer, perhaps with `Retry-After`.
#[derive(Debug)]
pub(super) struct Refusal {
    error: ApiError,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// Too many logins with one name failed.
    pub(super) fn rate_limited(left: Duration) -> Self {
        let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too many failed logins with this username");
        Self { error, retry_after: Some(left) }
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self { error, retry_after: None }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        ApiError::from(error).into()
    }
}

impl From<PasswordError> for Refusal {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self {
                error: ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too many passwords are being hashed"),
                retry_after: Some(Duration::from_secs(1)),
            },
            PasswordError::Hash(_) | PasswordError::Interrupted => ApiError::internal(&error).into(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.error.into_response();
        if let Some(wait) = self.retry_after {
            // In whole seconds, and never too early.
            let seconds = wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_and_wait(refusal: Refusal) -> (u16, Option<String>) {
        let response = refusal.into_response();
        let wait = response.headers().get(header::RETRY_AFTER);
        (response.status().as_u16(), wait.map(|wait| wait.to_str().expect("ascii").to_owned()))
    }

    #[test]
    fn retry_after_is_in_whole_seconds_and_never_too_early() {
        let limited = |millis| status_and_wait(Refusal::rate_limited(Duration::from_millis(millis)));
        assert_eq!(limited(1), (429, Some("1".to_owned())));
        assert_eq!(limited(2000), (429, Some("2".to_owned())));
        assert_eq!(limited(2001), (429, Some("3".to_owned())));
    }

    #[test]
    fn when_hashing_is_too_busy_the_answer_is_503_with_retry_after() {
        assert_eq!(status_and_wait(PasswordError::Busy.into()), (503, Some("1".to_owned())));
        assert_eq!(status_and_wait(PasswordError::Interrupted.into()), (500, None));
    }
}
