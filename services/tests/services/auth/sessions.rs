use http::Method;
use serde_json::{Value, json};

use super::{counted, credentials, logged_in, tokens, verified};
use crate::client::{Answer, call, post};
use crate::redis_server::RedisServer;
use crate::running::Running;

async fn refresh(auth: &Running, token: &str) -> Answer {
    post(&auth.url("/refresh"), &json!({ "refresh_token": token })).await
}

async fn logout(auth: &Running, token: Option<&str>) -> u16 {
    call(Method::POST, &auth.url("/logout"), token, None).await.status.as_u16()
}

async fn refreshes(auth: &Running) -> [u64; 3] {
    let mut counts = [0; 3];
    for (count, result) in counts.iter_mut().zip(["success", "failure", "reused"]) {
        *count = counted(auth, "refreshes", result).await;
    }
    counts
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_the_next_pair() {
    let redis = RedisServer::start().await;
    let auth = Running::auth(redis.url()).await;
    assert_eq!(refreshes(&auth).await, [0, 0, 0]);
    let (token, first) = logged_in(&auth, "ada").await;

    let answer = refresh(&auth, &first).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        (&answer.json()["expires_in"], &answer.json()["refresh_expires_in"]),
        (&json!(3600), &json!(7200))
    );
    let (next_token, second) = tokens(&answer.json());
    assert_ne!(first, second);
    assert_eq!((verified(&auth, &token).await, verified(&auth, &next_token).await), (200, 200));
    assert_eq!(refresh(&auth, &second).await.status, 200);
    assert_eq!(refreshes(&auth).await, [2, 0, 0]);
}

#[tokio::test]
async fn a_refresh_token_that_is_used_twice_ends_its_session_and_no_other() {
    let redis = RedisServer::start().await;
    let auth = Running::auth(redis.url()).await;
    let (token, first) = logged_in(&auth, "ada").await;
    let others = tokens(&post(&auth.url("/login"), &credentials("ada", "correct horse")).await.json());
    let (next_token, second) = tokens(&refresh(&auth, &first).await.json());

    assert_eq!(refresh(&auth, &first).await.status, 401);
    assert_eq!((verified(&auth, &token).await, verified(&auth, &next_token).await), (401, 401));
    assert_eq!(refresh(&auth, &second).await.status, 401);
    assert_eq!(refreshes(&auth).await, [1, 1, 1]);
    assert_eq!(verified(&auth, &others.0).await, 200);
    assert_eq!(refresh(&auth, &others.1).await.status, 200);
}

#[tokio::test]
async fn of_many_uses_of_one_refresh_token_at_once_one_succeeds() {
    let redis = RedisServer::start().await;
    let auth = Running::auth(redis.url()).await;
    let (_, token) = logged_in(&auth, "ada").await;
    let answers = futures_util::future::join_all((0..10).map(|_| refresh(&auth, &token))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert!(statuses[0] == 200 && statuses[1..].iter().all(|status| *status == 401), "{statuses:?}");
    assert_eq!(refreshes(&auth).await, [1, 8, 1]);
}

#[tokio::test]
async fn a_refresh_token_that_was_never_issued_is_refused_and_ends_nothing() {
    let redis = RedisServer::start().await;
    let auth = Running::auth(redis.url()).await;
    let (token, refresh_token) = logged_in(&auth, "ada").await;
    let session = refresh_token.split_once('.').expect("two parts").0;
    let forged = format!("{session}.{}", "0".repeat(64));
    for forged in ["", "forged", &token, &forged, session] {
        assert_eq!(refresh(&auth, forged).await.status, 401, "{forged}");
    }
    assert_eq!(refreshes(&auth).await, [0, 5, 0]);
    for body in [json!({}), json!({ "refresh_token": 7 })] {
        assert_eq!(post(&auth.url("/refresh"), &body).await.status, 422, "{body}");
    }
    assert_eq!(refreshes(&auth).await, [0, 5, 0]);
    assert_eq!(verified(&auth, &token).await, 200);
    assert_eq!(refresh(&auth, &refresh_token).await.status, 200);
}

#[tokio::test]
async fn logout_ends_a_session_with_all_its_tokens_at_once() {
    let redis = RedisServer::start().await;
    let auth = Running::auth(redis.url()).await;
    let (token, first) = logged_in(&auth, "ada").await;
    let others = tokens(&post(&auth.url("/login"), &credentials("ada", "correct horse")).await.json());
    let (next_token, second) = tokens(&refresh(&auth, &first).await.json());

    assert_eq!(logout(&auth, Some(&next_token)).await, 204);
    assert_eq!((verified(&auth, &token).await, verified(&auth, &next_token).await), (401, 401));
    for token in [&first, &second] {
        assert_eq!(refresh(&auth, token).await.status, 401);
    }
    for token in [None, Some("forged"), Some(token.as_str()), Some(next_token.as_str())] {
        assert_eq!(logout(&auth, token).await, 401);
    }
    assert_eq!(verified(&auth, &others.0).await, 200);
}

#[tokio::test]
async fn redis_has_no_refresh_token_in_clear_and_nothing_of_a_session_for_ever() {
    let redis = RedisServer::start().await;
    let auth = Running::auth(redis.url()).await;
    let (token, first) = logged_in(&auth, "ada").await;
    let (_, second) = tokens(&refresh(&auth, &first).await.json());
    post(&auth.url("/login"), &credentials("ada", "wrong horse")).await;

    let client = redis::Client::open(redis.url().expose()).expect("valid url");
    let mut connection = client.get_multiplexed_async_connection().await.expect("redis runs");
    let keys: Vec<String> =
        redis::cmd("KEYS").arg("auth:*").query_async(&mut connection).await.expect("keys");
    // The account, its failed login, the session, the token that was exchanged.
    assert_eq!(keys.len(), 4, "{keys:?}");
    for key in keys.iter().filter(|key| !key.starts_with("auth:account:")) {
        let seconds: i64 = redis::cmd("TTL").arg(key).query_async(&mut connection).await.expect("ttl");
        assert!((1..=7200).contains(&seconds), "{key} lasts {seconds}");
    }
    let session = keys.iter().find(|key| key.starts_with("auth:session:")).expect("a session");
    let stored: Vec<String> =
        redis::cmd("HGETALL").arg(session).query_async(&mut connection).await.expect("a hash");
    let stored = Value::from([keys, stored].concat()).to_string();
    for secret in [&token, &first, &second] {
        let secret = secret.rsplit_once('.').expect("parts").1;
        assert!(!stored.contains(secret), "{secret} in {stored}");
    }
}
