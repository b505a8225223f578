use futures_util::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::member::Member;
use crate::client::metric;
use crate::redis_server::RedisServer;
use crate::running::{Running, until};

#[tokio::test]
async fn a_member_that_does_not_read_is_dropped_and_counted_and_the_others_are_not_held_up() {
    let redis = RedisServer::start().await;
    let chat = Running::chat(redis.url()).await;
    let (_slow, _) = Member::join(&chat, "lobby", "slow").await;
    let (mut quick, _) = Member::join(&chat, "lobby", "quick").await;
    let metrics = chat.url("/metrics");
    let text = json!({ "id": "1", "text": "x".repeat(60 * 1024) }).to_string();
    until("the slow one is dropped", async || {
        for _ in 0..50 {
            quick.socket.send(Message::text(text.clone())).await.expect("sent");
            quick.next_message().await;
        }
        metric(&metrics, "slow_consumers_dropped_total").await > 0.5
    })
    .await;
    assert!((metric(&metrics, "slow_consumers_dropped_total").await - 1.0).abs() < 0.5);
    quick.say_and_hear("2").await;
    assert!((metric(&metrics, "websocket_connections").await - 1.0).abs() < 0.5);
}

#[tokio::test]
async fn five_hundred_members_in_rooms_of_ten_hear_everything() {
    const ROOMS: usize = 50;
    const ROUNDS: usize = 20;
    let redis = RedisServer::start().await;
    let chat = Running::chat(redis.url()).await;
    let mut members = Vec::new();
    for number in 0..ROOMS * 10 {
        members.push(Member::join(&chat, &format!("r{}", number % ROOMS), &format!("m{number}")).await.0);
    }
    let begun = tokio::time::Instant::now();
    let tasks: Vec<_> = members
        .into_iter()
        .enumerate()
        .map(|(number, mut member)| {
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    if number < ROOMS {
                        member.say(&round.to_string()).await;
                    }
                    assert_eq!(member.next_message().await["id"], round.to_string());
                }
                member.close().await;
                assert!(member.rest().await.0.is_empty());
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    println!("{} deliveries in {:?}", ROOMS * 10 * ROUNDS, begun.elapsed());
    let delivered = metric(&chat.url("/metrics"), "messages_delivered_total").await;
    assert!((delivered - 10_000.0).abs() < 0.5, "{delivered}");
}
