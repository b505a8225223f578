use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request as Asked;
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use http::{HeaderMap, Request, StatusCode, header};

use super::stand_in::{TIMEOUT, ask, calls, empty, gateway_before, gateway_before_bytes, serve};
use crate::running::Running;

const REQUEST_ID: &str = "x-request-id";

type Seen = Arc<Mutex<Vec<HeaderMap>>>;

/// Keeps the headers of what it is asked.
fn keeping(seen: &Seen) -> Router {
    let seen = Arc::clone(seen);
    Router::new().fallback(any(move |asked: Asked| {
        seen.lock().expect("no panic").push(asked.headers().clone());
        async {}
    }))
}

#[tokio::test]
async fn one_request_id_reaches_every_upstream_and_the_client() {
    let seen = Seen::default();
    let gateway = Running::gateway([serve(keeping(&seen)).await; 4], TIMEOUT).await;
    for given in [Some("7f3a"), None] {
        let mut request = Request::get(gateway.url("/api/users"));
        if let Some(id) = given {
            request = request.header(REQUEST_ID, id);
        }
        let answer = ask(request.body(empty()).expect("valid")).await;
        let told: Vec<_> = answer.headers().get_all(REQUEST_ID).iter().cloned().collect();
        assert_eq!(told.len(), 1);
        assert!(!told[0].is_empty() && given.is_none_or(|given| told[0] == given), "{told:?}");
        let seen: Vec<_> = seen.lock().expect("no panic").drain(..).map(|h| h[REQUEST_ID].clone()).collect();
        assert_eq!(seen, [told[0].clone(), told[0].clone()]);
    }
}

#[tokio::test]
async fn an_upstream_sees_neither_the_token_nor_what_is_of_the_clients_connection() {
    let seen = Seen::default();
    let gateway = Running::gateway([serve(keeping(&seen)).await; 4], TIMEOUT).await;
    let request = Request::get(gateway.url("/api/users"))
        .header(header::AUTHORIZATION, "Bearer secret")
        .header(header::CONNECTION, "x-own")
        .header("x-own", "1")
        .header("x-kept", "1");
    ask(request.body(empty()).expect("valid")).await;
    let seen = seen.lock().expect("no panic");
    let [verification, call] = seen.as_slice() else { panic!("two calls: {seen:?}") };
    assert_eq!(verification[header::AUTHORIZATION], "Bearer secret");
    assert!(!verification.contains_key("x-kept"));
    assert!(!call.contains_key(header::AUTHORIZATION) && !call.contains_key("x-own"), "{call:?}");
    assert_eq!(call["x-kept"], "1");
    assert_eq!(call[header::VIA], "1.1 gateway");
}

#[tokio::test]
async fn conditions_and_their_answers_are_relayed() {
    async fn read(headers: HeaderMap) -> impl IntoResponse {
        let known = headers.get(header::IF_NONE_MATCH).is_some_and(|tag| tag == "\"7\"");
        (if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK }, [(header::ETAG, "\"7\"")])
    }
    async fn change(headers: HeaderMap) -> StatusCode {
        let same = headers.get(header::IF_MATCH).is_none_or(|tag| tag == "\"7\"");
        if same { StatusCode::OK } else { StatusCode::PRECONDITION_FAILED }
    }
    async fn slow_down() -> impl IntoResponse {
        (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "17")])
    }
    let application =
        Router::new().route("/users/{id}", get(read).put(change)).route("/login", post(slow_down));
    let gateway = gateway_before(application).await;
    let user = gateway.url("/api/users/ada");

    for (tag, status) in [("\"7\"", 304), ("\"6\"", 200)] {
        let read = Request::get(&user).header(header::IF_NONE_MATCH, tag);
        let answer = ask(read.body(empty()).expect("valid")).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()[header::ETAG], "\"7\"");
    }
    for (tag, status) in [("\"7\"", 200), ("\"6\"", 412)] {
        let change = Request::put(&user).header(header::IF_MATCH, tag);
        assert_eq!(ask(change.body(empty()).expect("valid")).await.status(), status);
    }
    let login = Request::post(gateway.url("/api/auth/login"));
    let answer = ask(login.body(empty()).expect("valid")).await;
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()[header::RETRY_AFTER], "17");
}

#[tokio::test]
async fn a_length_is_relayed_even_without_its_body() {
    let gateway = gateway_before(Router::new().route("/users", get(async || "a body"))).await;
    for method in ["GET", "HEAD"] {
        let request = Request::builder().method(method).uri(gateway.url("/api/users"));
        let answer = ask(request.body(empty()).expect("valid")).await;
        assert_eq!(answer.headers()[header::CONTENT_LENGTH], "6", "{method}");
    }
}

#[tokio::test]
async fn an_answer_with_too_many_or_too_long_headers_is_502() {
    let many = "x: y\r\n".repeat(101);
    let long = format!("x: {}\r\n", "y".repeat(64 * 1024));
    for headers in [many, long] {
        let answer = format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n");
        let gateway = gateway_before_bytes(answer).await;
        let request = Request::get(gateway.url("/api/users"));
        assert_eq!(ask(request.body(empty()).expect("valid")).await.status(), 502);
        assert!((calls(&gateway, "user", "broken").await - 1.0).abs() < 0.5);
    }
}
