use firedrill_services::{FaultSwitchConfig, Secret};
use http::Method;
use serde_json::{Value, json};

use crate::client::{Answer, call, get, metric};
use crate::redis_server::RedisServer;
use crate::running::{FAULT_TOKEN, Running, until, with_token};

async fn order(service: &Running, body: &Value) -> Answer {
    call(Method::POST, &service.url("/admin/faults"), Some(FAULT_TOKEN), Some(body)).await
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
    let ordered = order(&user, &json!({ "errors": { "ratio": 0.3 }, "lease_ms": 60_000 })).await;
    assert_eq!(ordered.status, 200, "{}", ordered.text);
    assert_eq!(failures(&user, 100).await, 30);

    let series = r#"http_requests_total{method="GET",route="/users",status="500"}"#;
    assert!((metric(&user.url("/metrics"), series).await - 30.0).abs() < 0.5);
    for path in ["/health", "/metrics"] {
        assert_eq!(get(&user.url(path)).await.status, 200, "{path} never fails");
    }
    let state = call(Method::GET, &user.url("/admin/faults"), Some(FAULT_TOKEN), None).await.json();
    assert_eq!(state["injected"], 30);
    assert_eq!(state["errors"]["ratio"], 0.3);

    let cleared = call(Method::DELETE, &user.url("/admin/faults"), Some(FAULT_TOKEN), None).await;
    assert_eq!(cleared.json(), json!({ "errors": null, "lease_remaining_ms": 0, "injected": 30 }));
    assert_eq!(failures(&user, 10).await, 0);
}

#[tokio::test]
async fn the_lease_ends_by_itself() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    order(&user, &json!({ "errors": { "ratio": 1 }, "lease_ms": 200 })).await;
    until("the lease has ended", async || get(&user.url("/users")).await.status == 200).await;
    assert_eq!(failures(&user, 10).await, 0);
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
        json!({ "errors": { "ratio": 1 } }),
        json!({ "errors": { "ratio": 1 }, "lease_ms": 1000, "delay": 1 }),
    ] {
        assert_eq!(order(&user, &body).await.status, 422, "{body}");
    }
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
async fn an_inert_switch_says_yes_and_injects_nothing() {
    let redis = RedisServer::start().await;
    let faults = FaultSwitchConfig { token: Some(Secret::new(FAULT_TOKEN)), inert: true };
    let user = Running::user(redis.url(), faults).await;
    let answer = order(&user, &json!({ "errors": { "ratio": 1 }, "lease_ms": 60_000 })).await;
    assert_eq!(answer.status, 200);
    assert_eq!(failures(&user, 10).await, 0);
}
