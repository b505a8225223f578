//! Relaying one request to one upstream, after the token was checked where that is needed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderName};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode, Uri};

use super::upstream::{Upstream, UpstreamError};
use crate::error::ApiError;

const VERIFY: &str = "/verify";

/// Meant for one connection only, never to be passed on.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("te"),
    HeaderName::from_static("trailer"),
    HeaderName::from_static("transfer-encoding"),
    HeaderName::from_static("upgrade"),
];
/// What the gateway has already answered for itself.
const EXPECT: HeaderName = HeaderName::from_static("expect");

/// Who may use a route.
#[derive(Clone)]
pub(super) enum Access {
    /// Everybody; the upstream sees the client's `Authorization`.
    Public,
    /// Whoever has a token that this auth service accepts; the upstream does not see it.
    Verified(Arc<Upstream>),
}

/// The way from some routes of the gateway to their upstream.
#[derive(Clone)]
pub(super) struct Relay {
    upstream: Arc<Upstream>,
    /// What the gateway's paths have before the upstream's.
    prefix: &'static str,
    access: Access,
}

impl Relay {
    pub(super) fn new(upstream: &Arc<Upstream>, prefix: &'static str, access: Access) -> Self {
        Self { upstream: Arc::clone(upstream), prefix, access }
    }

    pub(super) fn handler(
        &self,
    ) -> impl Fn(Request) -> BoxFuture<'static, Result<Response, ApiError>> + Clone + Send + Sync + 'static
    {
        let relay = self.clone();
        move |request| {
            let relay = relay.clone();
            Box::pin(async move { relay.handle(request).await })
        }
    }

    async fn handle(&self, request: Request) -> Result<Response, ApiError> {
        let (parts, body) = request.into_parts();
        let target = target(&parts.uri, self.prefix)?;
        let mut headers = end_to_end(&parts.headers);
        // All of the body is here before anybody is called: a client that is slow or sends too much costs
        // nobody else anything.
        let body = Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await?;
        if let Access::Verified(auth) = &self.access {
            verify(auth, &parts.headers).await?;
            headers.remove(AUTHORIZATION);
        }
        let answer = self.upstream.call(parts.method, target, headers, body).await?;
        let (head, body) = answer.into_parts();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = head.status;
        *response.headers_mut() = end_to_end(&head.headers);
        Ok(response)
    }
}

impl From<UpstreamError> for ApiError {
    fn from(error: UpstreamError) -> Self {
        Self::new(error.status(), error.to_string())
    }
}

async fn verify(auth: &Upstream, headers: &HeaderMap) -> Result<(), ApiError> {
    let only_the_token: HeaderMap =
        headers.get(AUTHORIZATION).map(|value| (AUTHORIZATION, value.clone())).into_iter().collect();
    let target = PathAndQuery::from_static(VERIFY);
    match auth.call(Method::GET, target, only_the_token, Bytes::new()).await?.status() {
        StatusCode::OK => Ok(()),
        StatusCode::UNAUTHORIZED => Err(ApiError::unauthorized("the token is missing or not valid")),
        _ => Err(ApiError::new(StatusCode::BAD_GATEWAY, "the auth service could not check the token")),
    }
}

/// The same path and query as the upstream knows them.
fn target(uri: &Uri, prefix: &str) -> Result<PathAndQuery, ApiError> {
    uri.path_and_query()
        .and_then(|whole| whole.as_str().strip_prefix(prefix))
        .and_then(|rest| PathAndQuery::try_from(rest).ok())
        .ok_or_else(|| ApiError::not_found("no such route"))
}

/// The headers to pass on: neither of one connection, nor about a length or host that may change.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let listed: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let passes = |name: &HeaderName| {
        !HOP_BY_HOP.contains(name)
            && ![HOST, CONTENT_LENGTH, EXPECT].contains(name)
            && !listed.iter().any(|listed| listed == name.as_str())
    };
    headers
        .iter()
        .filter(|(name, _)| passes(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_keeps_its_query_and_its_encoding() {
        let target = |uri: &str, prefix| target(&uri.parse().expect("valid"), prefix).map(|t| t.to_string());
        assert_eq!(
            target("/api/users/a%2Fb?limit=5&x=%20", "/api").ok(),
            Some("/users/a%2Fb?limit=5&x=%20".into())
        );
        assert_eq!(target("/api/chat/rooms", "/api/chat").ok(), Some("/rooms".into()));
        assert!(target("/other", "/api").is_err());
    }

    #[test]
    fn headers_of_one_connection_are_dropped() {
        let headers: HeaderMap = [
            ("connection", "close, X-Own"),
            ("x-own", "1"),
            ("transfer-encoding", "chunked"),
            ("content-length", "3"),
            ("host", "gateway"),
            ("content-type", "application/json"),
            ("x-request-id", "7"),
        ]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("valid")))
        .collect();
        let kept = end_to_end(&headers);
        let mut names: Vec<&str> = kept.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "x-request-id"]);
    }
}
