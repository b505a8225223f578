use http::{Request, header};
use http_body_util::Full;
use serde_json::json;

use super::posted::delivery;
use crate::client::{get, metric, post, send};
use crate::redis_server::RedisServer;
use crate::running::{Running, until};

const SENT: &str = r#"notifications_sent_total{channel="log",result="success"}"#;

#[tokio::test]
async fn a_delivery_is_kept_verbatim_served_in_order_and_counted() {
    let redis = RedisServer::start().await;
    let notification = Running::notification(redis.url()).await;
    let webhook = notification.url("/webhook/alertmanager");
    assert!(metric(&notification.url("/metrics"), SENT).await.abs() < 0.5);
    let before = jiff::Timestamp::now();
    let (firing, resolved) = (delivery("4", "firing", 2), delivery("4", "resolved", 1));
    assert_eq!(post(&webhook, &firing).await.status, 200);
    assert_eq!(post(&webhook, &resolved).await.status, 200);

    let page = get(&notification.url("/api/notifications")).await.json();
    assert_eq!(page["next"], 3);
    let first = &page["notifications"][0];
    assert_eq!(first["sequence"], 1);
    assert_eq!(first["receiver"], "team");
    assert_eq!(first["status"], "firing");
    assert_eq!(first["group_key"], firing["groupKey"]);
    assert_eq!(first["group_labels"], firing["groupLabels"]);
    assert_eq!(first["alerts"], firing["alerts"]);
    let received_at: jiff::Timestamp =
        first["received_at"].as_str().expect("a time").parse().expect("RFC 3339");
    assert!(received_at.as_microsecond() >= before.as_microsecond() && received_at <= jiff::Timestamp::now());
    assert_eq!(page["notifications"][1]["status"], "resolved");
    until("both are logged", async || (metric(&notification.url("/metrics"), SENT).await - 3.0).abs() < 0.5)
        .await;
}

#[tokio::test]
async fn whoever_asks_with_the_next_number_misses_nothing_and_sees_nothing_twice() {
    let redis = RedisServer::start().await;
    let notification = Running::notification(redis.url()).await;
    let (mut since, mut seen) = (0, Vec::new());
    for _ in 0..3 {
        for _ in 0..3 {
            post(&notification.url("/webhook/alertmanager"), &delivery("4", "firing", 1)).await;
        }
        let page = get(&notification.url(&format!("/api/notifications?since={since}&limit=2"))).await.json();
        let found = page["notifications"].as_array().expect("a list").clone();
        seen.extend(found.iter().filter_map(|delivery| delivery["sequence"].as_u64()));
        since = page["next"].as_u64().expect("a number");
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6]);
    let end = get(&notification.url("/api/notifications?since=10")).await.json();
    assert_eq!(end, json!({ "notifications": [], "next": 10 }));
}

#[tokio::test]
async fn a_delivery_that_is_not_version_4_is_refused() {
    let redis = RedisServer::start().await;
    let notification = Running::notification(redis.url()).await;
    let webhook = notification.url("/webhook/alertmanager");
    assert_eq!(post(&webhook, &delivery("5", "firing", 1)).await.status, 422);
    assert_eq!(post(&webhook, &json!({ "version": "4" })).await.status, 422);
    let malformed = Request::post(&webhook).header(header::CONTENT_TYPE, "application/json");
    assert_eq!(send(malformed.body(Full::from("{")).expect("valid")).await.status, 400);
    assert_eq!(get(&notification.url("/api/notifications")).await.json()["next"], 1);
}

#[tokio::test]
async fn a_large_group_of_alerts_is_accepted() {
    let redis = RedisServer::start().await;
    let notification = Running::notification(redis.url()).await;
    let large = delivery("4", "firing", 1000);
    assert!(large.to_string().len() > 200_000);
    assert_eq!(post(&notification.url("/webhook/alertmanager"), &large).await.status, 200);
}

#[tokio::test]
async fn what_could_not_be_kept_is_a_failure_until_redis_is_back() {
    let mut redis = RedisServer::start().await;
    let notification = Running::notification(redis.url()).await;
    redis.stop();
    let (webhook, metrics) = (notification.url("/webhook/alertmanager"), notification.url("/metrics"));
    let delivery = delivery("4", "firing", 2);
    assert_eq!(post(&webhook, &delivery).await.status, 503);
    let failed = r#"notifications_sent_total{channel="log",result="failure"}"#;
    assert!((metric(&metrics, failed).await - 2.0).abs() < 0.5);
    assert_eq!(get(&notification.url("/dead-letters")).await.status, 503);
    redis.start_again().await;
    until("it is kept", async || post(&webhook, &delivery).await.status == 200).await;
    until("it is logged", async || (metric(&metrics, SENT).await - 2.0).abs() < 0.5).await;
}

#[tokio::test]
async fn a_users_notification_is_kept() {
    let redis = RedisServer::start().await;
    let notification = Running::notification(redis.url()).await;
    let url = notification.url("/notifications");
    let sent = post(&url, &json!({ "to": "ada", "text": "hello" })).await;
    assert_eq!(sent.status, 201, "{}", sent.text);
    assert_eq!(get(&url).await.json(), json!({ "notifications": [sent.json()] }));
    assert_eq!(post(&url, &json!({ "to": "", "text": "hello" })).await.status, 422);
}

#[tokio::test]
async fn what_is_no_longer_kept_is_skipped_and_numbers_stay_true() {
    let redis = RedisServer::start().await;
    let notification = Running::notification(redis.url()).await;
    for _ in 0..5 {
        post(&notification.url("/webhook/alertmanager"), &delivery("4", "firing", 1)).await;
    }
    let client = redis::Client::open(redis.url().expose()).expect("valid url");
    let mut connection = client.get_multiplexed_async_connection().await.expect("redis runs");
    let trim = redis::cmd("LTRIM").arg("notification:deliveries").arg(-2).arg(-1).to_owned();
    let _: String = trim.query_async(&mut connection).await.expect("trimmed");
    let page = get(&notification.url("/api/notifications?since=1")).await.json();
    let found = page["notifications"].as_array().expect("a list");
    let sequences: Vec<_> = found.iter().filter_map(|delivery| delivery["sequence"].as_u64()).collect();
    assert_eq!((sequences, &page["next"]), (vec![4, 5], &json!(6)));
}
