use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use tokio::net::TcpListener;

use super::stand_in::{TIMEOUT, ask, empty, serve};
use crate::running::Running;

/// Status, when to come back, and text of a protected route's answer.
async fn answer(gateway: &Running) -> (u16, Option<String>, String) {
    let (head, body) =
        ask(Request::get(gateway.url("/api/users")).body(empty()).expect("valid")).await.into_parts();
    let retry_after = head.headers.get(header::RETRY_AFTER).map(|value| value.to_str().expect("ASCII"));
    let text = body.collect().await.expect("whole").to_bytes();
    (head.status.as_u16(), retry_after.map(str::to_owned), String::from_utf8(text.to_vec()).expect("utf-8"))
}

#[tokio::test]
async fn an_auth_service_that_cannot_tell_is_not_mistaken_for_an_upstream_that_fails() {
    async fn away() -> (StatusCode, [(header::HeaderName, &'static str); 1]) {
        (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "9")])
    }
    let user = serve(Router::new().route("/users", get(away))).await;
    let auth = |status: StatusCode| serve(Router::new().route("/verify", get(async move || status)));
    let away_for_9_s = serve(Router::new().route("/verify", get(away))).await;
    for (auth, status, retry_after, text) in [
        (auth(StatusCode::OK).await, 503, Some("9"), ""),
        (away_for_9_s, 503, Some("9"), "the auth service is unavailable"),
        (auth(StatusCode::SERVICE_UNAVAILABLE).await, 503, Some("1"), "the auth service is unavailable"),
        (auth(StatusCode::INTERNAL_SERVER_ERROR).await, 502, None, "the auth service answered 500"),
    ] {
        let gateway = Running::gateway([auth, user, user, user], TIMEOUT).await;
        let answer = answer(&gateway).await;
        assert_eq!((answer.0, answer.1.as_deref()), (status, retry_after), "{}", answer.2);
        assert!(answer.2.contains(text), "{}", answer.2);
        assert_eq!(answer.2.contains("the token could not be checked"), !text.is_empty(), "{}", answer.2);
    }
}

#[tokio::test]
async fn without_an_auth_service_the_answer_is_503_and_with_a_silent_one_504() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let gateway =
        Running::gateway([silent.local_addr().expect("bound"); 4], Duration::from_millis(100)).await;
    let (status, retry_after, text) = answer(&gateway).await;
    assert_eq!((status, retry_after), (504, None));
    assert!(text.contains("the token could not be checked: the auth service did not answer"), "{text}");

    let closed = silent.local_addr().expect("bound");
    drop(silent);
    let gateway = Running::gateway([closed; 4], TIMEOUT).await;
    let (status, retry_after, text) = answer(&gateway).await;
    assert_eq!((status, retry_after.as_deref()), (503, Some("1")));
    assert!(text.contains("the token could not be checked: the auth service could not be"), "{text}");
}
