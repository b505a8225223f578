use serde_json::{Value, json};

use super::member::{Member, ids};
use crate::client::{get, metric};
use crate::redis_server::RedisServer;
use crate::running::Running;

#[tokio::test]
async fn whoever_comes_back_gets_what_it_missed_in_order_and_then_what_is_said() {
    let redis = RedisServer::start().await;
    let chat = Running::chat(redis.url()).await;
    let (mut ada, _) = Member::join(&chat, "lobby", "ada").await;
    let (mut bob, _) = Member::join(&chat, "lobby", "bob").await;
    let reached = ada.say_and_hear("0").await;
    drop(ada);
    assert_eq!(bob.next_message().await["id"], "0");
    let mut last = String::new();
    // More than one page of the history.
    for number in 1..=200 {
        last = bob.say_and_hear(&number.to_string()).await;
    }
    let (mut ada, joined) = Member::come_back(&chat, "lobby", &reached).await;
    assert_eq!((&joined["last"], joined.get("gap")), (&json!(last), None));
    bob.say("201").await;
    let mut heard = Vec::new();
    for _ in 1..=201 {
        heard.push(ada.next_message().await);
    }
    assert_eq!(ids(&heard), (1..=201).map(|number| number.to_string()).collect::<Vec<_>>());
    ada.close().await;
    assert_eq!(ada.rest().await.0, Vec::<Value>::new());
    bob.close().await;
    assert_eq!(ids(&bob.rest().await.0), ["201"]);
    let delivered = metric(&chat.url("/metrics"), "messages_delivered_total").await;
    assert!((delivered - 404.0).abs() < 0.5, "each of 202 messages to two members: {delivered}");
}

#[tokio::test]
async fn whoever_joins_for_the_first_time_hears_only_what_is_said_from_then_on() {
    let redis = RedisServer::start().await;
    let chat = Running::chat(redis.url()).await;
    let (mut ada, _) = Member::join(&chat, "lobby", "ada").await;
    let last = ada.say_and_hear("0").await;
    let (mut bob, _) = Member::join(&chat, "lobby", "bob").await;
    ada.say("1").await;
    assert_eq!(bob.next_message().await["id"], "1");
    let (_, joined) = Member::come_back(&chat, "other", "0-0").await;
    assert_eq!(joined, json!({ "joined": "other", "members": 1, "last": "0-0" }));
    let (mut cyd, joined) = Member::come_back(&chat, "lobby", "0-0").await;
    assert_eq!(joined.get("gap"), None);
    assert_eq!(cyd.next_message().await["seq"], json!(last));
    assert_eq!(cyd.next_message().await["id"], "1");
}

#[tokio::test]
async fn nothing_is_missed_or_told_twice_while_others_talk_and_one_comes_back_again_and_again() {
    let redis = RedisServer::start().await;
    let chat = Running::chat(redis.url()).await;
    let (mut speaker, _) = Member::join(&chat, "lobby", "speaker").await;
    let talking = tokio::spawn(async move {
        for number in 0..1000 {
            speaker.say_and_hear(&number.to_string()).await;
        }
    });
    let (mut reached, mut heard) = ("0-0".to_owned(), Vec::new());
    for visit in 0.. {
        let (mut ada, joined) = Member::come_back(&chat, "lobby", &reached).await;
        assert_eq!(joined.get("gap"), None);
        for _ in 0..=(visit % 7) * 10 {
            if heard.len() < 1000 {
                heard.push(ada.next_message().await);
            }
        }
        reached = heard.last().expect("one")["seq"].as_str().expect("a place").to_owned();
        if heard.len() == 1000 {
            break;
        }
    }
    talking.await.expect("no panic");
    assert_eq!(ids(&heard), (0..1000).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_history_that_no_longer_reaches_back_is_said_to_have_a_gap() {
    let mut redis = RedisServer::start().await;
    let chat = Running::chat(redis.url()).await;
    let (mut ada, _) = Member::join(&chat, "lobby", "ada").await;
    let first = ada.say_and_hear("0").await;
    for number in 1..1300 {
        ada.say_and_hear(&number.to_string()).await;
    }
    let page = get(&chat.url("/rooms/lobby/messages?limit=1")).await.json();
    let oldest: u64 = page["messages"][0]["id"].as_str().expect("an id").parse().expect("a number");
    assert!((100..=300).contains(&oldest), "a thousand messages are kept, and {oldest} are not");
    for lost in [first.as_str(), "0-0", "9999999999999-0"] {
        let (_, joined) = Member::come_back(&chat, "lobby", lost).await;
        assert_eq!(joined["gap"], true, "{lost}");
    }
    // A Redis that lost everything reaches back to nothing.
    redis.stop();
    assert_eq!(ada.rest().await.1, Some(1013));
    redis.start_again().await;
    crate::running::until("chat has recovered", async || get(&chat.url("/health")).await.status == 200).await;
    let (mut ada, joined) = Member::come_back(&chat, "lobby", &first).await;
    assert_eq!((&joined["gap"], &joined["last"]), (&json!(true), &json!("0-0")));
    ada.say_and_hear("again").await;
}

#[tokio::test]
async fn the_history_is_read_in_pages() {
    let redis = RedisServer::start().await;
    let chat = Running::chat(redis.url()).await;
    let url = chat.url("/rooms/lobby/messages");
    assert_eq!(get(&url).await.json(), json!({ "messages": [], "next": "0-0" }));
    let (mut ada, _) = Member::join(&chat, "lobby", "ada").await;
    for number in 0..5 {
        ada.say_and_hear(&number.to_string()).await;
    }
    let (mut next, mut seen) = ("0-0".to_owned(), Vec::<Value>::new());
    for _ in 0..4 {
        let page = get(&format!("{url}?after={next}&limit=2")).await.json();
        seen.extend(page["messages"].as_array().expect("a list").clone());
        next = page["next"].as_str().expect("a place").to_owned();
    }
    assert_eq!(ids(&seen), ["0", "1", "2", "3", "4"]);
    assert_eq!(seen[4]["seq"], json!(next));
    assert_eq!(
        (&seen[0]["room"], &seen[0]["from"], &seen[0]["text"]),
        (&json!("lobby"), &json!("ada"), &json!("hello"))
    );
    for query in ["after=x", "limit=0", "limit=101"] {
        assert_eq!(get(&format!("{url}?{query}")).await.status, 422, "{query}");
    }
}

#[tokio::test]
async fn without_redis_no_history_is_served() {
    let mut redis = RedisServer::start().await;
    let chat = Running::chat(redis.url()).await;
    redis.stop();
    assert_eq!(get(&chat.url("/rooms/lobby/messages")).await.status, 503);
}
