use std::time::Duration;

use firedrill_services::notification::{EmailConfig, NotificationConfig, SendingConfig};
use firedrill_services::{Secret, StoreServiceConfig};
use serde_json::json;

use super::mail_server::MailServer;
use super::posted::delivery;
use super::receiver::{Plan, Receiver};
use crate::client::{get, post};
use crate::redis_server::RedisServer;
use crate::running::{Running, until, with_token};

fn quick(redis: Secret) -> NotificationConfig {
    let service = StoreServiceConfig { redis_url: redis, faults: with_token() };
    NotificationConfig {
        log: false,
        sending: SendingConfig { first_retry: Duration::from_millis(10), ..SendingConfig::default() },
        ..NotificationConfig::new(service)
    }
}

#[tokio::test]
async fn a_slack_message_has_a_text_and_an_attachment_for_each_alert() {
    let redis = RedisServer::start().await;
    let receiver = Receiver::start(&[], Plan::Answer(200));
    let config = NotificationConfig { slack: Some(receiver.endpoint()), ..quick(redis.url()) };
    let service = Running::notification_with(config).await;
    post(&service.url("/webhook/alertmanager"), &delivery("4", "firing", 2)).await;
    until("it was received", async || !receiver.posts().is_empty()).await;
    let body = &receiver.posts()[0].body;
    assert_eq!(body["text"], "[FIRING:2] HighErrorRate");
    let attachments = body["attachments"].as_array().expect("a list");
    assert_eq!(attachments.len(), 2);
    assert_eq!(
        (&attachments[0]["title"], &attachments[0]["text"], &attachments[0]["color"]),
        (&json!("HighErrorRate"), &json!("many errors"), &json!("danger"))
    );
}

#[tokio::test]
async fn a_mail_that_is_put_off_arrives_once_with_both_ends_a_subject_and_the_alerts() {
    let redis = RedisServer::start().await;
    let server = MailServer::start().await;
    let url = Secret::new(format!("smtp://{}", server.address));
    let email = EmailConfig::parse(&url, "Alerts <alerts@example.org>", "ada@example.org, bob@example.org");
    let config = NotificationConfig { email: Some(email.expect("valid")), ..quick(redis.url()) };
    let service = Running::notification_with(config).await;
    post(&service.url("/webhook/alertmanager"), &delivery("4", "firing", 2)).await;
    until("it arrived", async || !server.mails().is_empty()).await;
    let mail = &server.mails()[0];
    for part in [
        "From: Alerts <alerts@example.org>",
        "To: ada@example.org, bob@example.org",
        "Subject: [FIRING:2] HighErrorRate",
        "Message-ID: <",
        "HighErrorRate is firing since 2026-01-02T03:04:05.",
        "many errors",
    ] {
        assert!(mail.contains(part), "no {part:?} in {mail}");
    }
    let metrics = get(&service.url("/metrics")).await.text;
    assert!(metrics.contains("notification_retries_total{channel=\"email\"} 1"), "{metrics}");
    assert!(!metrics.contains("channel=\"log\""), "a channel that is off has no series");
}
