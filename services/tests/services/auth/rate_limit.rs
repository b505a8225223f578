use http::{Method, header};

use super::{counted, credentials};
use crate::client::post;
use crate::redis_server::RedisServer;
use crate::running::Running;
use crate::user::headers::exchange;

async fn login(auth: &Running, username: &str, password: &str) -> u16 {
    post(&auth.url("/login"), &credentials(username, password)).await.status.as_u16()
}

#[tokio::test]
async fn the_eleventh_login_after_ten_failures_is_refused_even_with_the_right_password() {
    let redis = RedisServer::start().await;
    let auth = Running::auth(redis.url()).await;
    for name in ["ada", "bob"] {
        post(&auth.url("/register"), &credentials(name, "correct horse")).await;
    }
    assert_eq!(counted(&auth, "attempts", "rate_limited").await, 0);
    for unknown_or_not in ["ada", "nobody"] {
        for _ in 0..10 {
            assert_eq!(login(&auth, unknown_or_not, "wrong horse").await, 401);
        }
        let right = credentials(unknown_or_not, "correct horse");
        let (status, headers) = exchange(Method::POST, &auth.url("/login"), None, Some(&right)).await;
        assert_eq!(status, 429);
        let wait: u64 = headers[header::RETRY_AFTER].to_str().expect("ascii").parse().expect("seconds");
        assert!((1..=60).contains(&wait), "{wait}");
    }
    assert_eq!(login(&auth, "bob", "correct horse").await, 200);
    assert_eq!(counted(&auth, "attempts", "failure").await, 20);
    assert_eq!(counted(&auth, "attempts", "rate_limited").await, 2);
    assert_eq!(counted(&auth, "attempts", "success").await, 1);
}

#[tokio::test]
async fn logins_are_answered_again_when_the_oldest_failure_is_a_minute_old() {
    let redis = RedisServer::start().await;
    let auth = Running::auth(redis.url()).await;
    post(&auth.url("/register"), &credentials("ada", "correct horse")).await;
    for _ in 0..10 {
        login(&auth, "ada", "wrong horse").await;
    }
    assert_eq!(login(&auth, "ada", "correct horse").await, 429);

    // Time is Redis's own: the oldest failure is made a minute older instead of waiting.
    let client = redis::Client::open(redis.url().expose()).expect("valid url");
    let mut connection = client.get_multiplexed_async_connection().await.expect("redis runs");
    let key: Vec<String> =
        redis::cmd("KEYS").arg("auth:failed:*").query_async(&mut connection).await.expect("keys");
    let oldest: i64 =
        redis::cmd("LINDEX").arg(&key).arg(-1).query_async(&mut connection).await.expect("a time");
    let _: String = redis::cmd("LSET")
        .arg(&key)
        .arg(-1)
        .arg(oldest - 60_000)
        .query_async(&mut connection)
        .await
        .expect("set");

    assert_eq!(login(&auth, "ada", "correct horse").await, 200);
    assert_eq!(login(&auth, "ada", "wrong horse").await, 401);
    assert_eq!(login(&auth, "ada", "wrong horse").await, 429);
}

#[tokio::test]
async fn of_many_wrong_guesses_at_once_ten_are_answered() {
    let redis = RedisServer::start().await;
    let auth = Running::auth(redis.url()).await;
    post(&auth.url("/register"), &credentials("ada", "correct horse")).await;
    let mut statuses =
        futures_util::future::join_all((0..30).map(|_| login(&auth, "ada", "wrong horse"))).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [[401; 10].as_slice(), &[429; 20]].concat());
}

#[tokio::test]
async fn right_passwords_are_not_limited() {
    let redis = RedisServer::start().await;
    let auth = Running::auth(redis.url()).await;
    post(&auth.url("/register"), &credentials("ada", "correct horse")).await;
    for _ in 0..9 {
        login(&auth, "ada", "wrong horse").await;
    }
    let statuses =
        futures_util::future::join_all((0..50).map(|_| login(&auth, "ada", "correct horse"))).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
}
