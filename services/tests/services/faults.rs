use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use firedrill_exposition::parse_text;
use firedrill_services::{FaultSwitchConfig, Secret};
use http::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::client::{Answer, call, get, metric};
use crate::processes::ServiceProcess;
use crate::redis_server::RedisServer;
use crate::running::{FAULT_TOKEN, Running, until, with_token};
use crate::wire::Wire;

async fn order(service: &Running, body: &Value) -> Answer {
    call(Method::POST, &service.url("/admin/faults"), Some(FAULT_TOKEN), Some(body)).await
}

async fn ordered(service: &Running, body: &Value) {
    let answer = order(service, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

async fn end(service: &Running, query: &str) -> Answer {
    call(Method::DELETE, &service.url(&format!("/admin/faults{query}")), Some(FAULT_TOKEN), None).await
}

async fn state(service: &Running) -> Value {
    call(Method::GET, &service.url("/admin/faults"), Some(FAULT_TOKEN), None).await.json()
}

async fn failures(service: &Running, requests: usize) -> usize {
    let url = service.url("/users");
    let mut failed = 0;
    for _ in 0..requests {
        let answer = get(&url).await;
        if answer.status == 500 {
            assert_eq!(answer.json(), json!({ "error": "injected" }));
            failed += 1;
        }
    }
    failed
}

#[tokio::test]
async fn of_a_hundred_requests_exactly_thirty_fail_and_are_counted() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    ordered(&user, &json!({ "errors": { "ratio": 0.3 }, "lease_ms": 60_000 })).await;
    assert_eq!(failures(&user, 100).await, 30);

    let series = r#"http_requests_total{method="GET",route="/users",status="500"}"#;
    assert!((metric(&user.url("/metrics"), series).await - 30.0).abs() < 0.5);
    for path in ["/health", "/metrics"] {
        assert_eq!(get(&user.url(path)).await.status, 200, "{path} never fails");
    }
    let state = state(&user).await;
    assert_eq!(state["errors"]["injected"], 30);
    assert_eq!(state["errors"]["ratio"], 0.3);

    assert_eq!(end(&user, "").await.json(), json!({}));
    assert_eq!(failures(&user, 10).await, 0);
}

#[tokio::test]
async fn the_lease_ends_by_itself() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    ordered(&user, &json!({ "errors": { "ratio": 1 }, "lease_ms": 200 })).await;
    until("the lease has ended", async || get(&user.url("/users")).await.status == 200).await;
    assert_eq!(failures(&user, 10).await, 0);
}

#[tokio::test]
async fn kinds_are_in_force_side_by_side_and_end_one_by_one() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    ordered(&user, &json!({ "errors": { "ratio": 1 }, "lease_ms": 60_000 })).await;
    ordered(&user, &json!({ "latency": { "added_ms": 1 }, "lease_ms": 50_000 })).await;
    ordered(&user, &json!({ "latency": { "added_ms": 2 }, "lease_ms": 40_000 })).await;
    let both = state(&user).await;
    assert_eq!((&both["errors"]["ratio"], &both["latency"]["added_ms"]), (&json!(1.0), &json!(2)));
    assert!(both["errors"]["lease_remaining_ms"].as_u64() > Some(50_000), "{both}");
    assert!(both["latency"]["lease_remaining_ms"].as_u64() <= Some(40_000), "{both}");

    let left = end(&user, "?kind=errors").await.json();
    assert!(left.get("errors").is_none() && left.get("latency").is_some(), "{left}");
    assert_eq!(failures(&user, 3).await, 0);
    assert_eq!(end(&user, "?kind=weather").await.status, 422);
}

#[tokio::test]
async fn latency_is_added_to_the_route_that_was_named_only() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let latency = |route| json!({ "latency": { "added_ms": 150, "route": route }, "lease_ms": 60_000 });
    assert_eq!(order(&user, &latency("/nowhere")).await.status, 422);
    ordered(&user, &latency("/users/{id}")).await;
    let begun = Instant::now();
    assert_eq!(get(&user.url("/users/9f2c1e52-0000-4000-8000-000000000000")).await.status, 404);
    assert!(begun.elapsed() >= Duration::from_millis(150));
    assert_eq!(get(&user.url("/users")).await.status, 200);
    assert_eq!(state(&user).await["latency"]["injected"], 1);
}

#[tokio::test]
async fn a_hung_request_is_answered_when_the_fault_ends() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    ordered(&user, &json!({ "hang": {}, "lease_ms": 60_000 })).await;
    let url = user.url("/users");
    let hung = tokio::spawn(async move { get(&url).await.status });
    until("it hangs", async || state(&user).await["hang"]["injected"] == 1).await;
    assert_eq!(get(&user.url("/health")).await.status, 200);
    let active = metric(&user.url("/metrics"), "active_connections").await;
    assert!((active - 2.0).abs() < 0.5, "the hung request and the scrape: {active}");
    assert!(!hung.is_finished());
    end(&user, "?kind=hang").await;
    assert_eq!(hung.await.expect("no panic"), 200);
}

async fn is_refused(address: SocketAddr) -> bool {
    TcpStream::connect(address).await.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

fn refusal(lease_ms: u64) -> String {
    let body = json!({ "refuse": {}, "lease_ms": lease_ms }).to_string();
    let length = body.len();
    format!(
        "POST /admin/faults HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {FAULT_TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_service_that_refuses_keeps_only_the_connection_that_ordered_it_and_comes_back() {
    let redis = RedisServer::start().await;
    let chat = Running::chat(redis.url()).await;
    let (mut idle, mut member) = (Wire::to(chat.address).await, Wire::to(chat.address).await);
    assert_eq!(idle.ask("GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.status, 200);
    let upgrade = "GET /rooms/a/ws?member=m HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
                   upgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    assert_eq!(member.ask(upgrade).await.status, 101);

    let mut ordering = Wire::to(chat.address).await;
    for _ in 0..2 {
        let answer = ordering.ask(&refusal(60_000)).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        for _ in 0..5 {
            assert!(is_refused(chat.address).await);
        }
        idle.ended().await;
        member.ended().await;
    }
    let end = format!(
        "DELETE /admin/faults?kind=refuse HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {FAULT_TOKEN}\r\n\r\n"
    );
    assert_eq!(ordering.ask(&end).await.status, 200);
    until("it listens", async || !is_refused(chat.address).await).await;
    assert_eq!(get(&chat.url("/health")).await.status, 200);
}

#[tokio::test]
async fn a_refusal_ends_with_its_lease_alone() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    ordered(&user, &json!({ "refuse": {}, "lease_ms": 400 })).await;
    assert!(is_refused(user.address).await);
    until("it listens", async || !is_refused(user.address).await).await;
    assert_eq!(get(&user.url("/users")).await.status, 200);
    assert_eq!(state(&user).await, json!({}));
}

#[tokio::test]
async fn a_slow_body_comes_after_its_head_and_is_whole() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let mut wire = Wire::to(user.address).await;
    let request = "GET /users HTTP/1.1\r\nhost: x\r\n\r\n";
    let quick = wire.ask(request).await;
    ordered(&user, &json!({ "slow_body": { "takes_ms": 300 }, "lease_ms": 60_000 })).await;
    let begun = Instant::now();
    let slow = wire.ask(request).await;
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(slow.body, quick.body);
    let series = r#"http_request_duration_seconds_bucket{le="0.25",method="GET",route="/users"}"#;
    let quick_heads = metric(&user.url("/metrics"), series).await;
    assert!((quick_heads - 2.0).abs() < 0.5, "both heads came at once: {quick_heads}");
}

async fn process(redis: &RedisServer) -> ServiceProcess {
    ServiceProcess::start("user", &[("REDIS_URL", redis.url().expose().to_owned())]).await
}

async fn order_process(process: &ServiceProcess, body: &Value) {
    let answer = call(Method::POST, &process.url("/admin/faults"), Some(FAULT_TOKEN), Some(body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn memory_is_really_taken_and_given_back() {
    let redis = RedisServer::start().await;
    let user = process(&redis).await;
    let (grown, most) = (64.0 * 1024.0 * 1024.0, 72.0 * 1024.0 * 1024.0);
    let before = user.resident_bytes().await;
    for _ in 0..2 {
        order_process(&user, &json!({ "memory": { "bytes": 64 * 1024 * 1024 }, "lease_ms": 60_000 })).await;
        let growth = user.resident_bytes().await - before;
        assert!((grown..most).contains(&growth), "grown by {growth}, however often it is ordered");
    }
    call(Method::DELETE, &user.url("/admin/faults?kind=memory"), Some(FAULT_TOKEN), None).await;
    until("the memory is back", async || user.resident_bytes().await - before < grown / 8.0).await;
}

#[tokio::test]
async fn the_ordered_share_of_a_processor_is_used() {
    let redis = RedisServer::start().await;
    let user = process(&redis).await;
    let metrics = user.url("/metrics");
    let cpu_seconds = async || metric(&metrics, "process_cpu_seconds_total").await;
    order_process(&user, &json!({ "cpu": { "share": 0.5 }, "lease_ms": 60_000 })).await;
    let (begun, before) = (Instant::now(), cpu_seconds().await);
    until("half a second of CPU time is used", async || cpu_seconds().await - before >= 0.5).await;
    let share = (cpu_seconds().await - before) / begun.elapsed().as_secs_f64();
    assert!((0.1..0.85).contains(&share), "{share} of a processor, scrapes and a busy host included");
    call(Method::DELETE, &user.url("/admin/faults"), Some(FAULT_TOKEN), None).await;
    until("it computes no more", async || {
        let before = cpu_seconds().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        cpu_seconds().await - before < 0.05
    })
    .await;
}

#[tokio::test]
async fn metrics_are_bad_as_ordered_and_good_again() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let bad = |how| json!({ "bad_metrics": { "how": how }, "lease_ms": 60_000 });
    let mut wire = Wire::to(user.address).await;
    let mut scrape = async || {
        let answer = wire.ask("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(answer.status, 200);
        String::from_utf8(answer.body).ok()
    };
    let routes = |text: &str| {
        let parsed = parse_text(text).expect("valid");
        let labels: Vec<String> =
            parsed.samples().filter_map(|sample| sample.labels.get("route").cloned()).collect();
        (parsed.samples().count(), labels)
    };

    let (all, right) = routes(&scrape().await.expect("UTF-8"));
    ordered(&user, &bad("wrong_labels")).await;
    let (samples, wrong) = routes(&scrape().await.expect("UTF-8"));
    assert_eq!(samples, all);
    assert!(!wrong.is_empty() && wrong.iter().all(|route| !right.contains(route)), "{wrong:?}");

    ordered(&user, &bad("missing")).await;
    let text = scrape().await.expect("UTF-8");
    let (samples, routes_left) = routes(&text);
    assert!(samples > 0 && routes_left.is_empty() && !text.contains("http_requests_total"), "{text}");

    ordered(&user, &bad("garbage")).await;
    assert!(scrape().await.is_none_or(|text| parse_text(&text).is_err()));
    assert_eq!(get(&user.url("/users")).await.status, 200, "only the metrics are bad");

    end(&user, "?kind=bad_metrics").await;
    assert_eq!(routes(&scrape().await.expect("UTF-8")).0, all);
}

#[tokio::test]
async fn nobody_switches_without_the_token_or_with_nonsense() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let url = user.url("/admin/faults");
    let body = json!({ "errors": { "ratio": 1 }, "lease_ms": 1000 });
    for token in [None, Some("wrong")] {
        assert_eq!(call(Method::POST, &url, token, Some(&body)).await.status, 401);
        assert_eq!(call(Method::GET, &url, token, None).await.status, 401);
        assert_eq!(call(Method::DELETE, &url, token, None).await.status, 401);
    }
    for body in [
        json!({ "errors": { "ratio": 1.5 }, "lease_ms": 1000 }),
        json!({ "errors": { "ratio": 1 }, "lease_ms": 3_600_001 }),
        json!({ "errors": { "ratio": 1 }, "lease_ms": 0 }),
        json!({ "errors": { "ratio": 1 } }),
        json!({ "errors": { "ratio": 1 }, "lease_ms": 1000, "delay": 1 }),
        json!({ "errors": { "ratio": 1 }, "hang": {}, "lease_ms": 1000 }),
        json!({ "lease_ms": 1000 }),
        json!({ "latency": { "added_ms": 0 }, "lease_ms": 1000 }),
        json!({ "slow_body": { "takes_ms": 600_001 }, "lease_ms": 1000 }),
        json!({ "memory": { "bytes": 1024 * 1024 * 1024 + 1 }, "lease_ms": 1000 }),
        json!({ "cpu": { "share": 2 }, "lease_ms": 1000 }),
        json!({ "bad_metrics": { "how": "nicely" }, "lease_ms": 1000 }),
        json!({ "hang": { "for": 1 }, "lease_ms": 1000 }),
    ] {
        assert_eq!(order(&user, &body).await.status, 422, "{body}");
    }
    assert_eq!(state(&user).await, json!({}));
    assert_eq!(failures(&user, 5).await, 0);
}

#[tokio::test]
async fn without_a_token_there_is_no_switch() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), FaultSwitchConfig::default()).await;
    let answer = order(&user, &json!({ "errors": { "ratio": 1 }, "lease_ms": 1000 })).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn an_inert_switch_says_yes_to_every_kind_and_injects_nothing() {
    let redis = RedisServer::start().await;
    let faults = FaultSwitchConfig { token: Some(Secret::new(FAULT_TOKEN)), inert: true };
    let user = Running::user(redis.url(), faults).await;
    for kind in [
        json!({ "errors": { "ratio": 1 } }),
        json!({ "latency": { "added_ms": 60_000 } }),
        json!({ "hang": {} }),
        json!({ "refuse": {} }),
        json!({ "slow_body": { "takes_ms": 60_000 } }),
        json!({ "memory": { "bytes": 1024 } }),
        json!({ "cpu": { "share": 1 } }),
        json!({ "bad_metrics": { "how": "garbage" } }),
    ] {
        let mut body = kind;
        body["lease_ms"] = json!(60_000);
        ordered(&user, &body).await;
    }
    assert_eq!(state(&user).await.as_object().map(serde_json::Map::len), Some(8));
    assert_eq!(failures(&user, 10).await, 0);
    assert!(get(&user.url("/metrics")).await.text.contains("http_requests_total"));
}
