//! A small HTTP client with kept connections, and reading a counter from `/metrics`.

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: String,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }
}

pub(crate) async fn send(request: Request<Full<Bytes>>) -> Answer {
    // A client of its own for each call: tests have runtimes of their own, which connections do not survive.
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.expect("an answer");
    let (head, body) = response.into_parts();
    let text = body.collect().await.expect("a whole body").to_bytes();
    let content_type =
        head.headers.get(header::CONTENT_TYPE).map_or("", |value| value.to_str().expect("ascii")).to_owned();
    Answer { status: head.status, content_type, text: String::from_utf8(text.to_vec()).expect("utf-8") }
}

pub(crate) async fn get(url: &str) -> Answer {
    call(Method::GET, url, None, None).await
}

pub(crate) async fn delete(url: &str) -> Answer {
    call(Method::DELETE, url, None, None).await
}

pub(crate) async fn post(url: &str, body: &Value) -> Answer {
    call(Method::POST, url, None, Some(body)).await
}

pub(crate) async fn put(url: &str, body: &Value) -> Answer {
    call(Method::PUT, url, None, Some(body)).await
}

pub(crate) async fn call(method: Method, url: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
    let mut request = Request::builder().method(method).uri(url);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = match body {
        Some(body) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            body.to_string()
        }
        None => String::new(),
    };
    send(request.body(Full::from(body)).expect("valid")).await
}

/// The value of one series, such as `auth_attempts_total{result="success"}`.
pub(crate) async fn metric(url: &str, series: &str) -> f64 {
    let text = get(url).await.text;
    text.lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
        .unwrap_or_else(|| panic!("no series {series}"))
}
