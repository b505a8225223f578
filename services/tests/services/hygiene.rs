use std::time::Duration;

use bytes::Bytes;
use firedrill_services::Secret;
use http::{Request, header};
use http_body_util::Full;
use serde_json::json;
use tokio::time::Instant;

use crate::client::{Answer, delete, get, metric, post, send};
use crate::processes::ServiceProcess;
use crate::redis_server::RedisServer;
use crate::running::{Running, until, with_token};
use crate::wire::Wire;

/// A service whose Redis nobody needs.
async fn without_redis() -> Running {
    Running::user(Secret::new("redis://127.0.0.1:1/"), with_token()).await
}

async fn malformed(service: &Running, reason: &str) -> f64 {
    let series = format!("http_malformed_requests_total{{reason=\"{reason}\"}}");
    metric(&service.url("/metrics"), &series).await
}

async fn post_raw(url: &str, content_type: &str, body: impl Into<Bytes>) -> Answer {
    let request = Request::post(url).header(header::CONTENT_TYPE, content_type);
    send(request.body(Full::new(body.into())).expect("valid")).await
}

#[tokio::test]
async fn each_kind_of_bad_request_has_its_status_and_a_json_body() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let users = user.url("/users");
    let json = "application/json";
    let answers = [
        (400, post_raw(&users, json, "{").await),
        (422, post_raw(&users, json, r#"{"name": 7, "email": "a@b"}"#).await),
        (422, post_raw(&users, json, r#"{"name": "A"}"#).await),
        (422, post(&users, &json!({ "name": "A", "email": "nobody" })).await),
        (415, post_raw(&users, "text/plain", "{}").await),
        (413, post_raw(&users, json, vec![b' '; 64 * 1024 + 1]).await),
        (400, get(&user.url("/users/%FF")).await),
        (404, get(&user.url("/nowhere")).await),
        (405, delete(&users).await),
    ];
    for (status, answer) in answers {
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.content_type, "application/json");
        assert!(answer.json()["error"].is_string(), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_service_that_stops_finishes_and_closes_its_idle_connections() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    assert_eq!(get(&user.url("/health")).await.status, 200);
    let _idle = tokio::net::TcpStream::connect(user.address).await.expect("it listens");
    let address = user.address;
    user.begin_to_stop().await.expect("no panic").expect("served");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "it no longer listens");
}

#[tokio::test]
async fn what_never_becomes_a_request_is_answered_and_counted() {
    let user = without_redis().await;
    let flood = "x-one-more: 1\r\n".repeat(101);
    let long = "x".repeat(16 * 1024);
    for (head, status) in [
        ("G@T / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nhost: x\r\n{flood}\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n"), 431),
    ] {
        let mut wire = Wire::to(user.address).await;
        assert_eq!(wire.ask(&head).await.status, status);
        wire.ended().await;
    }
    until("all are counted", async || {
        let counted = (malformed(&user, "syntax").await, malformed(&user, "too_large").await);
        counted == (2.0, 2.0)
    })
    .await;
}

/// The three wait side by side.
#[tokio::test]
async fn clients_that_take_more_than_ten_seconds_for_a_head_or_a_body_are_ended_and_idle_ones_are_not() {
    tokio::join!(
        a_slow_head_is_cut_off(),
        a_slow_body_is_answered_408(),
        a_kept_connection_may_be_idle_for_longer()
    );
}

async fn a_slow_head_is_cut_off() {
    let user = without_redis().await;
    let (mut silent, mut slow) = (Wire::to(user.address).await, Wire::to(user.address).await);
    assert_eq!(slow.ask("GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n").await.status, 404);
    let begun = Instant::now();
    assert!(slow.send("GET /health HTTP/1.1\r\nhost").await);
    tokio::join!(silent.ended(), slow.ended());
    assert!(begun.elapsed() > Duration::from_secs(9));
    until("the slow one is counted", async || malformed(&user, "too_slow").await > 0.0).await;
    assert!(malformed(&user, "too_slow").await < 2.0, "a silent one never began a request");
}

async fn a_kept_connection_may_be_idle_for_longer() {
    let user = without_redis().await;
    let mut wire = Wire::to(user.address).await;
    let request = "GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n";
    assert_eq!(wire.ask(request).await.status, 404);
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(wire.ask(request).await.status, 404);
}

async fn a_slow_body_is_answered_408() {
    let user = without_redis().await;
    let mut wire = Wire::to(user.address).await;
    let head =
        "POST /users HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    assert_eq!(wire.ask(head).await.status, 408);
    wire.ended().await;
    let series = r#"http_requests_total{method="POST",route="/users",status="408"}"#;
    assert!((metric(&user.url("/metrics"), series).await - 1.0).abs() < 0.5);
}

#[tokio::test]
async fn a_request_keeps_its_sensible_name_and_gets_one_otherwise() {
    let user = without_redis().await;
    let mut wire = Wire::to(user.address).await;
    let mut named = async |given: &str| {
        let answer = wire.ask(&format!("GET /health HTTP/1.1\r\nhost: x\r\n{given}\r\n")).await;
        let names: Vec<String> = answer
            .head
            .lines()
            .filter_map(|line| line.strip_prefix("x-request-id: ").map(str::to_owned))
            .collect();
        assert_eq!(names.len(), 1, "{}", answer.head);
        names[0].clone()
    };
    assert_eq!(named("x-request-id: my.own_name-7\r\n").await, "my.own_name-7");
    let (one, other) = (named("").await, named("x-request-id: not a name\r\n").await);
    assert!(one.len() == 36 && other.len() == 36 && one != other, "{one} {other}");
}

#[tokio::test]
async fn each_line_that_a_request_logs_has_its_name() {
    let environment = [("REDIS_URL", "redis://127.0.0.1:1/".to_owned()), ("LOG_LEVEL", "debug".to_owned())];
    let user = ServiceProcess::start("user", &environment).await;
    let mut wire = Wire::to(user.address).await;
    let request = "GET /users?limit=3 HTTP/1.1\r\nhost: x\r\nx-request-id: seven\r\n\r\n";
    assert_eq!(wire.ask(request).await.status, 503);
    until("it is logged", async || !user.lines("answered").is_empty()).await;
    for message in ["redis is unavailable", "answered"] {
        let lines = user.lines(message);
        assert_eq!(lines.len(), 1, "{message}");
        assert_eq!(lines[0]["span"]["request_id"], "seven", "{message}");
    }
    let answered = &user.lines("answered")[0];
    assert_eq!((&answered["route"], &answered["status"]), (&json!("/users"), &json!(503)));
    assert_eq!((&answered["level"], &answered["method"]), (&json!("DEBUG"), &json!("GET")));
    assert!(answered["milliseconds"].is_f64());
}
