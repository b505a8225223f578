//! Requests and answers whose headers matter.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Sends a request with one more header, and answers status and headers; the body is read and dropped.
pub(crate) async fn exchange(
    method: Method,
    url: &str,
    more: Option<(HeaderName, &str)>,
    body: Option<&Value>,
) -> (StatusCode, HeaderMap) {
    let mut request = Request::builder().method(method).uri(url);
    if let Some((name, value)) = more {
        request = request.header(name, value);
    }
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = request.body(Full::<Bytes>::from(body)).expect("valid");
    let response =
        Client::builder(TokioExecutor::new()).build_http().request(request).await.expect("an answer");
    let (head, body) = response.into_parts();
    body.collect().await.expect("a whole body");
    (head.status, head.headers)
}
