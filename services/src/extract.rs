//! Extractors that refuse in this crate's JSON, with one status for each kind of mistake: malformed 400,
//! too big 413, not JSON 415, of the wrong shape 422.

use axum::Json;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, Path, Query, Request};
use http::request::Parts;
use http::{StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// The largest body that is read, in bytes, unless a route says otherwise.
pub(crate) const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let Json(value) = Json::from_request(request, state).await?;
        Ok(Self(value))
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

/// The one parameter of a path.
pub(crate) struct PathParameter(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathParameter {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path: Result<Path<String>, PathRejection> =
            <Path<String> as FromRequestParts<S>>::from_request_parts(parts, state).await;
        // Percent-encoding that is not UTF-8.
        path.map(|Path(value)| Self(value))
            .map_err(|rejection| ApiError::new(StatusCode::BAD_REQUEST, rejection.body_text()))
    }
}

/// `?limit=`: how many to answer with, 1 to `MAXIMUM`; without it, `DEFAULT`.
pub(crate) struct Limit<const DEFAULT: usize, const MAXIMUM: usize>(pub(crate) usize);

#[derive(Deserialize)]
struct LimitParameter {
    limit: Option<usize>,
}

impl<S: Send + Sync, const DEFAULT: usize, const MAXIMUM: usize> FromRequestParts<S>
    for Limit<DEFAULT, MAXIMUM>
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Parameters(LimitParameter { limit }) = Parameters::from_request_parts(parts, state).await?;
        match limit.unwrap_or(DEFAULT) {
            limit if (1..=MAXIMUM).contains(&limit) => Ok(Self(limit)),
            _ => Err(ApiError::invalid(format!("limit must be 1 to {MAXIMUM}"))),
        }
    }
}

/// The query of a URL.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(ApiError::invalid(rejection.body_text())),
        }
    }
}

/// The token of `Authorization: Bearer <token>`.
pub(crate) struct BearerToken(pub(crate) String);

impl<S: Send + Sync> OptionalFromRequestParts<S> for BearerToken {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, ApiError> {
        let token = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| Self(token.trim().to_owned()));
        Ok(token)
    }
}
