use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use super::member::Member;
use crate::client::{get, metric};
use crate::redis_server::RedisServer;
use crate::running::{Running, until};

#[tokio::test]
async fn every_member_of_a_room_receives_every_message_in_one_order() {
    let redis = RedisServer::start().await;
    let chat = Running::chat(redis.url()).await;
    let mut members = Vec::new();
    for number in 1..=10 {
        let (member, count) = Member::join(&chat, "lobby", &format!("m{number}")).await;
        assert_eq!(count, number);
        members.push(member);
    }
    let (mut other, _) = Member::join(&chat, "elsewhere", "stranger").await;
    let rooms = get(&chat.url("/rooms")).await.json();
    assert_eq!(
        rooms,
        json!({ "rooms": [{ "room": "elsewhere", "connections": 1 }, { "room": "lobby", "connections": 10 }] })
    );
    for round in 0..5 {
        for (number, member) in members.iter_mut().enumerate() {
            member.say(&format!("{round}-{number}")).await;
        }
    }
    let mut orders = Vec::new();
    for member in &mut members {
        let mut order = Vec::new();
        for _ in 0..50 {
            let message = member.next_message().await;
            assert_eq!((&message["room"], &message["text"]), (&json!("lobby"), &json!("hello")));
            order.push(format!("{} from {}", message["id"], message["from"]));
        }
        orders.push(order);
    }
    assert!(orders.iter().all(|order| *order == orders[0]));
    other.close().await;
    assert_eq!(other.rest().await.0, Vec::<Value>::new());

    let metrics = chat.url("/metrics");
    assert!((metric(&metrics, "messages_sent_total").await - 50.0).abs() < 0.5);
    assert!((metric(&metrics, "messages_delivered_total").await - 500.0).abs() < 0.5);
    until("the stranger is gone", async || {
        (metric(&metrics, "websocket_connections").await - 10.0).abs() < 0.5
    })
    .await;
    let upgrades = r#"http_requests_total{method="GET",route="/rooms/{room}/ws",status="101"}"#;
    assert!((metric(&metrics, upgrades).await - 11.0).abs() < 0.5);
}

#[tokio::test]
async fn whoever_closes_has_received_all_of_its_own_messages_by_then() {
    let redis = RedisServer::start().await;
    let chat = Running::chat(redis.url()).await;
    let (mut member, _) = Member::join(&chat, "lobby", "ada").await;
    for number in 0..100 {
        member.say(&number.to_string()).await;
    }
    member.close().await;
    let (received, _) = member.rest().await;
    let ids: Vec<String> =
        received.iter().map(|message| message["id"].as_str().expect("id").to_owned()).collect();
    assert_eq!(ids, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
    until("the connection has ended", async || {
        metric(&chat.url("/metrics"), "websocket_connections").await.abs() < 0.5
    })
    .await;
    assert!((metric(&chat.url("/metrics"), "messages_delivered_total").await - 100.0).abs() < 0.5);
}

#[tokio::test]
async fn members_in_two_processes_share_a_room() {
    let redis = RedisServer::start().await;
    let (one, other) = (Running::chat(redis.url()).await, Running::chat(redis.url()).await);
    let (mut ada, _) = Member::join(&one, "lobby", "ada").await;
    let (mut bob, _) = Member::join(&other, "lobby", "bob").await;
    ada.say("1").await;
    assert_eq!(bob.next_message().await["from"], "ada");
    assert_eq!(ada.next_message().await["id"], "1");
}

#[tokio::test]
async fn a_malformed_message_closes_with_1007_and_one_too_big_with_1009() {
    let redis = RedisServer::start().await;
    let chat = Running::chat(redis.url()).await;
    let long = |length| json!({ "id": "1", "text": "x".repeat(length) }).to_string();
    for (text, code) in [
        ("not json".to_owned(), 1007),
        (r#"{"id": 7, "text": "x"}"#.to_owned(), 1007),
        (long(64 * 1024), 1009),
        (long(900 * 1024), 1009),
    ] {
        let (mut member, _) = Member::join(&chat, "lobby", "ada").await;
        member.socket.send(Message::text(text)).await.expect("sent");
        assert_eq!(member.rest().await.1, Some(code));
    }
    let (mut member, _) = Member::join(&chat, "lobby", "ada").await;
    member.socket.send(Message::text(long(60 * 1024))).await.expect("sent");
    assert_eq!(member.next_json().await["id"], "1");
}

#[tokio::test]
async fn what_is_no_upgrade_or_names_no_room_is_refused() {
    let redis = RedisServer::start().await;
    let chat = Running::chat(redis.url()).await;
    assert_eq!(get(&chat.url("/rooms/lobby/ws?member=ada")).await.status, 400);
    assert_eq!(get(&chat.url("/rooms/a%20b/ws?member=ada")).await.status, 422);
    assert_eq!(get(&chat.url("/rooms/lobby/ws")).await.status, 422);
    assert_eq!(get(&chat.url("/rooms/lobby/ws?member=ada&after=7")).await.status, 422);
}

#[tokio::test]
async fn a_service_that_stops_closes_its_sockets_with_1001() {
    let redis = RedisServer::start().await;
    let chat = Running::chat(redis.url()).await;
    let (mut member, _) = Member::join(&chat, "lobby", "ada").await;
    let stopping = chat.begin_to_stop();
    assert_eq!(member.rest().await.1, Some(1001));
    drop(member);
    tokio::time::timeout(Duration::from_secs(4), stopping)
        .await
        .expect("it does not wait out its grace")
        .expect("no panic")
        .expect("served");
}

#[tokio::test]
async fn without_redis_members_are_let_go_and_nobody_joins_until_it_is_back() {
    let mut redis = RedisServer::start().await;
    let chat = Running::chat(redis.url()).await;
    let (mut member, _) = Member::join(&chat, "lobby", "ada").await;
    redis.stop();
    assert_eq!(member.rest().await.1, Some(1013));
    assert_eq!(get(&chat.url("/health")).await.status, 503);

    let stream = TcpStream::connect(chat.address).await.expect("it listens");
    let url = format!("ws://{}/rooms/lobby/ws?member=ada", chat.address);
    let refused = client_async(url, stream).await.expect_err("no upgrade");
    assert!(refused.to_string().contains("503"), "{refused}");

    redis.start_again().await;
    until("chat has recovered", async || get(&chat.url("/health")).await.status == 200).await;
    let (mut member, _) = Member::join(&chat, "lobby", "ada").await;
    member.say("1").await;
    assert_eq!(member.next_json().await["id"], "1");
}

#[tokio::test]
async fn the_others_are_told_who_comes_and_goes_which_counts_as_no_message() {
    let redis = RedisServer::start().await;
    let chat = Running::chat(redis.url()).await;
    let (mut ada, _) = Member::join(&chat, "lobby", "ada").await;
    let (mut bob, _) = Member::join(&chat, "lobby", "bob").await;
    assert_eq!(ada.next_json().await, json!({ "event": "join", "member": "bob", "members": 2 }));
    bob.close().await;
    assert_eq!(bob.rest().await.0, Vec::<Value>::new());
    drop(bob);
    assert_eq!(ada.next_json().await, json!({ "event": "leave", "member": "bob", "members": 1 }));
    let metrics = chat.url("/metrics");
    for series in ["messages_sent_total", "messages_delivered_total"] {
        assert!(metric(&metrics, series).await.abs() < 0.5, "{series}");
    }
    assert!((metric(&metrics, r#"websocket_closes_total{code="1000"}"#).await - 1.0).abs() < 0.5);
}

#[tokio::test]
async fn a_ping_is_answered() {
    let redis = RedisServer::start().await;
    let chat = Running::chat(redis.url()).await;
    let (mut ada, _) = Member::join(&chat, "lobby", "ada").await;
    ada.socket.send(Message::Ping("are you there".into())).await.expect("sent");
    assert_eq!(ada.next().await, Message::Pong("are you there".into()));
}
