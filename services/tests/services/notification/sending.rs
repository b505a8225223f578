use std::time::Duration;

use firedrill_services::notification::{NotificationConfig, SendingConfig};
use firedrill_services::{Secret, StoreServiceConfig};
use serde_json::{Value, json};

use super::posted::delivery;
use super::receiver::{Plan, Receiver};
use crate::client::{get, metric, post};
use crate::redis_server::RedisServer;
use crate::running::{Running, until, with_token};

const OK: Plan = Plan::Answer(200);

fn to_webhook(redis: Secret, receiver: &Receiver) -> NotificationConfig {
    let service = StoreServiceConfig { redis_url: redis, faults: with_token() };
    NotificationConfig {
        webhook: Some(receiver.endpoint()),
        sending: SendingConfig {
            timeout: Duration::from_secs(10),
            first_retry: Duration::from_millis(10),
            ..SendingConfig::default()
        },
        ..NotificationConfig::new(service)
    }
}

async fn arrive(service: &Running, delivery: &Value) -> Value {
    let answer = post(&service.url("/webhook/alertmanager"), delivery).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["sequence"].clone()
}

async fn count(service: &Running, metric_of_webhook: &str) -> u64 {
    let (name, labels) = metric_of_webhook.split_once('{').unwrap_or((metric_of_webhook, "}"));
    let series = format!(r#"{name}{{channel="webhook"{labels}"#);
    let value = metric(&service.url("/metrics"), &series).await;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]
    let count = value.round() as u64;
    count
}

async fn dead_letters(service: &Running) -> Vec<Value> {
    let answer = get(&service.url("/dead-letters")).await.json();
    answer["dead_letters"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_failing_receiver_is_tried_again_and_gets_everything_in_order() {
    let redis = RedisServer::start().await;
    let receiver = Receiver::start(&[Plan::Answer(500), Plan::Hang, Plan::Answer(503), OK, Plan::Hang], OK);
    let mut config = to_webhook(redis.url(), &receiver);
    config.sending.timeout = Duration::from_secs(1);
    let service = Running::notification_with(config).await;
    for _ in 0..3 {
        arrive(&service, &delivery("4", "firing", 2)).await;
    }
    until("all were received", async || receiver.accepted().len() == 3).await;
    assert_eq!(receiver.accepted(), [1, 2, 3]);
    until("all are counted", async || {
        count(&service, r#"notifications_sent_total{,result="success"}"#).await == 6
    })
    .await;
    assert_eq!(count(&service, "notification_retries_total").await, 4);
    assert_eq!(count(&service, "notification_queue_length").await, 0);
    assert_eq!(count(&service, "notifications_dead_letters_total").await, 0);
    let posts = receiver.posts();
    assert!(posts[..4].iter().all(|post| post.key == posts[0].key), "one key for all attempts at one");
    assert_ne!(posts[4].key, posts[0].key);
}

#[tokio::test]
async fn what_is_posted_is_the_delivery_as_it_is_kept() {
    let redis = RedisServer::start().await;
    let receiver = Receiver::start(&[], OK);
    let service = Running::notification_with(to_webhook(redis.url(), &receiver)).await;
    arrive(&service, &delivery("4", "firing", 2)).await;
    until("it was received", async || receiver.accepted().len() == 1).await;
    let kept = get(&service.url("/api/notifications")).await.json()["notifications"][0].clone();
    assert_eq!(receiver.posts()[0].body, kept);
}

#[tokio::test]
async fn a_receiver_that_refuses_connections_gets_everything_when_it_listens() {
    let redis = RedisServer::start().await;
    let (receiver, socket) = Receiver::refusing(&[], OK);
    let service = Running::notification_with(to_webhook(redis.url(), &receiver)).await;
    arrive(&service, &delivery("4", "firing", 1)).await;
    until("it was tried again", async || count(&service, "notification_retries_total").await >= 2).await;
    assert_eq!(count(&service, "notification_queue_length").await, 1);
    receiver.listen(socket);
    until("it was received", async || receiver.accepted() == [1]).await;
}

#[tokio::test]
async fn a_dead_letter_says_why_and_nothing_of_the_url() {
    let redis = RedisServer::start().await;
    let (receiver, _socket) = Receiver::refusing(&[], OK);
    let mut config = to_webhook(redis.url(), &receiver);
    config.sending.attempts = 1;
    let service = Running::notification_with(config).await;
    arrive(&service, &delivery("4", "firing", 1)).await;
    until("it is given up", async || !dead_letters(&service).await.is_empty()).await;
    let reason = dead_letters(&service).await[0]["reason"].to_string();
    assert!(reason.contains("refused") && !reason.contains("hook"), "{reason}");
}

#[tokio::test]
async fn a_service_that_restarts_goes_on_where_it_was() {
    let redis = RedisServer::start().await;
    let receiver = Receiver::start(&[], Plan::Answer(500));
    let mut config = to_webhook(redis.url(), &receiver);
    config.sending.attempts = 100;
    let service = Running::notification_with(config.clone()).await;
    for _ in 0..2 {
        arrive(&service, &delivery("4", "firing", 1)).await;
    }
    until("it was tried", async || !receiver.posts().is_empty()).await;
    service.begin_to_stop().await.expect("no panic").expect("served");
    receiver.answer_from_now_on(OK);
    assert_eq!(receiver.accepted(), Vec::<u64>::new());
    let service = Running::notification_with(config).await;
    until("both were received", async || receiver.accepted().len() == 2).await;
    assert_eq!(receiver.accepted(), [1, 2]);
    assert_eq!(dead_letters(&service).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_service_that_stops_does_not_wait_for_a_receiver_that_hangs() {
    let redis = RedisServer::start().await;
    let receiver = Receiver::start(&[Plan::Hang], OK);
    let mut config = to_webhook(redis.url(), &receiver);
    config.sending.timeout = Duration::from_mins(1);
    let service = Running::notification_with(config.clone()).await;
    arrive(&service, &delivery("4", "firing", 1)).await;
    until("it hangs", async || !receiver.posts().is_empty()).await;
    let stopped = tokio::time::timeout(Duration::from_secs(4), service.begin_to_stop()).await;
    stopped.expect("before its grace is over").expect("no panic").expect("served");
    let _service = Running::notification_with(config).await;
    until("it was received", async || receiver.accepted() == [1]).await;
}

#[tokio::test]
async fn what_cannot_be_sent_is_a_dead_letter_after_the_last_attempt_and_holds_up_nothing() {
    let redis = RedisServer::start().await;
    let receiver = Receiver::start(&[Plan::Answer(500), Plan::Answer(500), Plan::Answer(500)], OK);
    let mut config = to_webhook(redis.url(), &receiver);
    config.sending.attempts = 3;
    let service = Running::notification_with(config).await;
    assert_eq!(dead_letters(&service).await, Vec::<Value>::new());
    for _ in 0..2 {
        arrive(&service, &delivery("4", "firing", 2)).await;
    }
    until("the second was received", async || receiver.accepted() == [2]).await;
    let dead = dead_letters(&service).await;
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (&dead[0]["channel"], &dead[0]["attempts"], &dead[0]["reason"], &dead[0]["sequence"]),
        (&json!("webhook"), &json!(3), &json!("the answer was 500"), &json!(1))
    );
    let kept = get(&service.url("/api/notifications")).await.json()["notifications"][0].clone();
    assert_eq!(dead[0]["notification"]["alerts"], kept["alerts"]);
    assert_eq!(count(&service, "notifications_dead_letters_total").await, 1);
    assert_eq!(count(&service, r#"notifications_sent_total{,result="failure"}"#).await, 2);
}

#[tokio::test]
async fn a_final_refusal_is_not_tried_again() {
    let redis = RedisServer::start().await;
    let receiver = Receiver::start(&[Plan::Answer(400)], OK);
    let service = Running::notification_with(to_webhook(redis.url(), &receiver)).await;
    for _ in 0..2 {
        arrive(&service, &delivery("4", "firing", 1)).await;
    }
    until("the second was received", async || receiver.accepted() == [2]).await;
    assert_eq!(receiver.posts().len(), 2);
    assert_eq!(dead_letters(&service).await[0]["attempts"], 1);
}

#[tokio::test]
async fn in_a_full_queue_the_oldest_that_was_not_begun_makes_place_and_is_a_dead_letter() {
    let redis = RedisServer::start().await;
    let receiver = Receiver::start(&[Plan::Hold], OK);
    let mut config = to_webhook(redis.url(), &receiver);
    config.sending.queue_length = 2;
    let service = Running::notification_with(config).await;
    arrive(&service, &delivery("4", "firing", 1)).await;
    until("the first is begun", async || !receiver.posts().is_empty()).await;
    for _ in 0..3 {
        arrive(&service, &delivery("4", "firing", 1)).await;
    }
    let dead = dead_letters(&service).await;
    let sequences: Vec<_> = dead.iter().map(|letter| letter["sequence"].clone()).collect();
    assert_eq!(sequences, [3, 2]);
    assert_eq!((&dead[0]["reason"], &dead[0]["attempts"]), (&json!("the queue was full"), &json!(0)));
    assert_eq!(count(&service, "notifications_dead_letters_total").await, 2);
    receiver.release.notify_one();
    until("the others were received", async || receiver.accepted() == [1, 4]).await;
}

#[tokio::test]
async fn a_delivery_that_is_posted_again_is_kept_and_sent_once() {
    let redis = RedisServer::start().await;
    let receiver = Receiver::start(&[], OK);
    let mut config = to_webhook(redis.url(), &receiver);
    config.duplicate_window = Duration::from_mins(1);
    let service = Running::notification_with(config).await;
    let first = delivery("4", "firing", 2);
    assert_eq!(arrive(&service, &first).await, 1);
    assert_eq!(arrive(&service, &first).await, 1);
    assert_eq!(arrive(&service, &delivery("4", "firing", 2)).await, 2);
    until("both were received", async || receiver.accepted().len() >= 2).await;
    assert_eq!(receiver.accepted(), [1, 2]);
    assert_eq!(get(&service.url("/api/notifications")).await.json()["next"], 3);
    assert!((metric(&service.url("/metrics"), "notification_duplicates_total").await - 1.0).abs() < 0.5);
}

#[tokio::test]
async fn a_delivery_that_is_repeated_after_the_window_is_another() {
    let redis = RedisServer::start().await;
    let receiver = Receiver::start(&[], OK);
    let mut config = to_webhook(redis.url(), &receiver);
    config.duplicate_window = Duration::from_millis(200);
    let service = Running::notification_with(config).await;
    let repeated = delivery("4", "firing", 1);
    arrive(&service, &repeated).await;
    until("it is kept again", async || arrive(&service, &repeated).await == 2).await;
    until("both were received", async || receiver.accepted() == [1, 2]).await;
}

#[tokio::test]
async fn two_processes_send_each_delivery_once_and_in_order() {
    let redis = RedisServer::start().await;
    let receiver = Receiver::start(&[], OK);
    let config = to_webhook(redis.url(), &receiver);
    let one = Running::notification_with(config.clone()).await;
    let other = Running::notification_with(config).await;
    for _ in 0..10 {
        arrive(&one, &delivery("4", "firing", 1)).await;
        arrive(&other, &delivery("4", "firing", 1)).await;
    }
    until("all were received", async || receiver.accepted().len() >= 20).await;
    assert_eq!(receiver.accepted(), (1..=20).collect::<Vec<_>>());
}
