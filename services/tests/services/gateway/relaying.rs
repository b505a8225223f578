use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::client::{call, get, metric, post};
use crate::redis_server::RedisServer;
use crate::running::{FAULT_TOKEN, Running, until, with_token};

const TIMEOUT: Duration = Duration::from_secs(2);

async fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("bound")
}

struct Stack {
    _redis: RedisServer,
    auth: Running,
    user: Running,
    gateway: Running,
    token: String,
}

impl Stack {
    async fn start() -> Self {
        let redis = RedisServer::start().await;
        let auth = Running::auth(redis.url()).await;
        let user = Running::user(redis.url(), with_token()).await;
        let chat = Running::chat(redis.url()).await;
        let notification = Running::notification(redis.url()).await;
        let upstreams = [auth.address, user.address, chat.address, notification.address];
        let gateway = Running::gateway(upstreams, TIMEOUT).await;
        let ada = json!({ "username": "ada", "password": "correct horse" });
        assert_eq!(post(&gateway.url("/api/auth/register"), &ada).await.status, 201);
        let login = post(&gateway.url("/api/auth/login"), &ada).await.json();
        let token = login["token"].as_str().expect("a token").to_owned();
        Self { _redis: redis, auth, user, gateway, token }
    }
}

#[tokio::test]
async fn every_route_reaches_its_upstream() {
    let Stack { gateway, token, .. } = &Stack::start().await;
    let user = json!({ "name": "Ada", "email": "ada@example.org" });
    let ask = |method, path: &str, body| {
        let url = gateway.url(path);
        async move { call(method, &url, Some(token), body).await }
    };
    let created = ask(Method::POST, "/api/users", Some(&user)).await;
    assert_eq!((created.status.as_u16(), created.content_type.as_str()), (201, "application/json"));
    let one = format!("/api/users/{}", created.json()["id"].as_str().expect("an id"));
    let list = ask(Method::GET, "/api/users?limit=1", None).await.json();
    assert_eq!(list["users"], json!([created.json()]));
    assert_eq!(ask(Method::GET, &one, None).await.status, 200);
    assert_eq!(ask(Method::PUT, &one, Some(&user)).await.status, 200);
    assert_eq!(ask(Method::DELETE, &one, None).await.status, 204);
    assert_eq!(ask(Method::GET, &one, None).await.status, 404);
    assert_eq!(ask(Method::GET, "/api/users?limit=0", None).await.status, 422);
    assert_eq!(ask(Method::GET, "/api/chat/rooms", None).await.json(), json!({ "rooms": [] }));
    let message = json!({ "to": "ada", "text": "hello" });
    assert_eq!(ask(Method::POST, "/api/notifications", Some(&message)).await.status, 201);
    assert_eq!(ask(Method::GET, "/api/notifications", None).await.status, 200);
    assert_eq!(ask(Method::GET, "/api/auth/verify", None).await.status, 200);
    assert_eq!(ask(Method::GET, "/api/elsewhere", None).await.status, 404);
}

#[tokio::test]
async fn one_request_makes_one_verification_and_if_allowed_one_call() {
    let Stack { auth, user, gateway, token, .. } = &Stack::start().await;
    let url = gateway.url("/api/users");
    assert_eq!(get(&url).await.status, 401);
    assert_eq!(call(Method::GET, &url, Some("forged"), None).await.status, 401);
    for _ in 0..3 {
        assert_eq!(call(Method::GET, &url, Some(token), None).await.status, 200);
    }
    let verified =
        |status| format!(r#"http_requests_total{{method="GET",route="/verify",status="{status}"}}"#);
    let served = r#"http_requests_total{method="GET",route="/users",status="200"}"#;
    for (service, series, expected) in [
        (auth, verified(200).as_str(), 3.0),
        (auth, verified(401).as_str(), 2.0),
        (user, served, 3.0),
        (gateway, r#"upstream_requests_total{upstream="user",outcome="2xx"}"#, 3.0),
        // One registration, one login.
        (gateway, r#"upstream_requests_total{upstream="auth",outcome="2xx"}"#, 5.0),
        (gateway, r#"upstream_requests_total{upstream="auth",outcome="4xx"}"#, 2.0),
    ] {
        let value = metric(&service.url("/metrics"), series).await;
        assert!((value - expected).abs() < 0.5, "{series}: {value}, not {expected}");
    }
}

#[tokio::test]
async fn an_unreachable_upstream_is_502_and_a_silent_one_504() {
    let redis = RedisServer::start().await;
    let auth = Running::auth(redis.url()).await;
    let ada = json!({ "username": "ada", "password": "correct horse" });
    post(&auth.url("/register"), &ada).await;
    let login = post(&auth.url("/login"), &ada).await.json();
    let token = login["token"].as_str().expect("a token");
    // Its connections are accepted by the kernel and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let silent = (silent.local_addr().expect("bound"), silent);
    let closed = closed_port().await;
    let gateway =
        Running::gateway([auth.address, closed, silent.0, closed], Duration::from_millis(300)).await;

    assert_eq!(call(Method::GET, &gateway.url("/api/users"), Some(token), None).await.status, 502);
    assert_eq!(call(Method::GET, &gateway.url("/api/chat/rooms"), Some(token), None).await.status, 504);
    for (upstream, outcome) in [("user", "connect_error"), ("chat", "timeout")] {
        let series = format!(r#"upstream_requests_total{{upstream="{upstream}",outcome="{outcome}"}}"#);
        assert!((metric(&gateway.url("/metrics"), &series).await - 1.0).abs() < 0.5, "{series}");
    }

    let without_auth = Running::gateway([closed; 4], TIMEOUT).await;
    assert_eq!(call(Method::GET, &without_auth.url("/api/users"), Some(token), None).await.status, 503);
    let slow_auth = Running::gateway([silent.0; 4], Duration::from_millis(100)).await;
    assert_eq!(call(Method::GET, &slow_auth.url("/api/users"), Some(token), None).await.status, 504);
}

#[tokio::test]
async fn errors_of_an_upstream_are_relayed_but_those_of_a_verification_are_502() {
    let Stack { auth, user, gateway, token, .. } = &Stack::start().await;
    let all = json!({ "errors": { "ratio": 1 }, "lease_ms": 60_000 });
    call(Method::POST, &user.url("/admin/faults"), Some(FAULT_TOKEN), Some(&all)).await;
    let relayed = call(Method::GET, &gateway.url("/api/users"), Some(token), None).await;
    assert_eq!((relayed.status.as_u16(), relayed.text.as_str()), (500, r#"{"error":"injected"}"#));
    call(Method::POST, &auth.url("/admin/faults"), Some(FAULT_TOKEN), Some(&all)).await;
    assert_eq!(call(Method::GET, &gateway.url("/api/users"), Some(token), None).await.status, 502);
}

#[tokio::test]
async fn a_client_that_leaves_is_counted_as_499() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = silent.local_addr().expect("bound");
    let gateway = Running::gateway([address; 4], Duration::from_mins(1)).await;
    let mut client = TcpStream::connect(gateway.address).await.expect("it listens");
    client.write_all(b"GET /api/users HTTP/1.1\r\nHost: gateway\r\n\r\n").await.expect("sent");
    let metrics = gateway.url("/metrics");
    until("the request is in progress", async || metric(&metrics, "active_connections").await > 1.5).await;
    drop(client);
    until("nothing but the scrape is", async || metric(&metrics, "active_connections").await < 1.5).await;
    let left = r#"http_requests_total{method="GET",route="/api/users",status="499"}"#;
    assert!((metric(&metrics, left).await - 1.0).abs() < 0.5);
    // The verification in progress was given up with it.
    let given_up = r#"upstream_requests_total{upstream="auth",outcome="broken"}"#;
    assert!((metric(&metrics, given_up).await - 1.0).abs() < 0.5);
}

#[tokio::test]
async fn a_gateway_that_stops_answers_what_is_in_flight() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = silent.local_addr().expect("bound");
    let gateway = Running::gateway([address; 4], Duration::from_millis(500)).await;
    let url = gateway.url("/api/users");
    let asking = tokio::spawn(async move { get(&url).await.status });
    let metrics = gateway.url("/metrics");
    until("the request is in progress", async || metric(&metrics, "active_connections").await > 1.5).await;
    let stopping = gateway.begin_to_stop();
    assert_eq!(asking.await.expect("no panic"), 504);
    stopping.await.expect("no panic").expect("served");
}
