//! Relaying one request to one upstream, after the token was checked where that is needed.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use super::answer::AnswerBody;
use super::headers;
use super::refusal::{Refusal, VerificationError};
use super::tunnel;
use super::upstream::Upstream;
use crate::error::ApiError;
use crate::server::Stopping;

const VERIFY: &str = "/verify";

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
    /// Where WebSockets may be opened: what ends them.
    tunnels: Option<Stopping>,
}

impl Relay {
    pub(super) fn new(upstream: &Arc<Upstream>, prefix: &'static str, access: Access) -> Self {
        Self { upstream: Arc::clone(upstream), prefix, access, tunnels: None }
    }

    /// Lets WebSockets through as well, each until the gateway stops at the latest.
    pub(super) fn with_tunnels(self, stopping: Stopping) -> Self {
        Self { tunnels: Some(stopping), ..self }
    }

    pub(super) fn handler(
        &self,
    ) -> impl Fn(Request) -> BoxFuture<'static, Response> + Clone + Send + Sync + 'static {
        let relay = self.clone();
        move |request| {
            let relay = relay.clone();
            Box::pin(async move { relay.handle(request).await })
        }
    }

    async fn handle(&self, request: Request) -> Response {
        let id = headers::request_id(request.headers());
        let mut response = self.relay(request, &id).await.unwrap_or_else(Refusal::into_response);
        // The upstream's own mention of it is the same; whatever it says, there is one.
        response.headers_mut().insert(headers::REQUEST_ID, id);
        response
    }

    async fn relay(&self, mut request: Request, id: &HeaderValue) -> Result<Response, Refusal> {
        let method = request.method().clone();
        let target = target(request.uri(), self.prefix)?;
        let client =
            request.extensions().get().map(|ConnectInfo(address): &ConnectInfo<SocketAddr>| *address);
        let verification = headers::of_verification(request.headers(), id);
        let mut forwarded = headers::forwarded(request.headers(), client);
        forwarded.insert(headers::REQUEST_ID, id.clone());
        let tunnel = self.tunnels.as_ref().filter(|_| headers::speak_websocket(request.headers()));
        let tunnel = tunnel.map(|stopping| (hyper::upgrade::on(&mut request), stopping.clone()));
        if tunnel.is_some() {
            headers::insert_websocket(&mut forwarded);
        }

        let body = whole_body(request).await?;
        if let Access::Verified(auth) = &self.access {
            verify(auth, verification).await?;
            forwarded.remove(AUTHORIZATION);
        }
        let mut answer = self.upstream.call(method, target, forwarded, body).await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(relayed(answer));
        }
        let Some((client, stopping)) = tunnel.filter(|_| headers::speak_websocket(answer.headers())) else {
            // Nobody asked it for that.
            return Err(self.upstream.broken().into());
        };
        let upstream = hyper::upgrade::on(&mut answer);
        tokio::spawn(tunnel::keep(client, upstream, stopping));
        let mut response = relayed(answer);
        headers::insert_websocket(response.headers_mut());
        Ok(response)
    }
}

/// The body of a request, all of it before anybody is called: a client that is slow or sends too much
/// costs nobody else anything, and no upstream sees a part. It is small: the routes' limit is 64 KiB.
///
/// What comes with a method that gives a body no meaning is neither read nor passed on.
async fn whole_body(request: Request) -> Result<Bytes, ApiError> {
    if [Method::GET, Method::HEAD, Method::DELETE].contains(request.method()) {
        return Ok(Bytes::new());
    }
    Ok(Bytes::from_request(request, &()).await?)
}

async fn verify(auth: &Upstream, headers: HeaderMap) -> Result<(), VerificationError> {
    let target = PathAndQuery::from_static(VERIFY);
    let answer = auth.ask(Method::GET, target, headers).await.map_err(VerificationError::NoAnswer)?;
    match answer.status() {
        StatusCode::OK => Ok(()),
        StatusCode::UNAUTHORIZED => Err(VerificationError::Refused),
        StatusCode::SERVICE_UNAVAILABLE => {
            Err(VerificationError::Unavailable { retry_after: answer.headers().get(RETRY_AFTER).cloned() })
        }
        status => Err(VerificationError::Unexpected { status }),
    }
}

/// The upstream's answer as the client gets it, its body as it comes.
fn relayed(answer: http::Response<AnswerBody>) -> Response {
    let (head, body) = answer.into_parts();
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = head.status;
    *response.headers_mut() = headers::end_to_end(&head.headers);
    response
}

/// The same path and query as the upstream knows them.
fn target(uri: &Uri, prefix: &str) -> Result<PathAndQuery, ApiError> {
    uri.path_and_query()
        .and_then(|whole| whole.as_str().strip_prefix(prefix))
        .and_then(|rest| PathAndQuery::try_from(rest).ok())
        .ok_or_else(|| ApiError::not_found("no such route"))
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
}
