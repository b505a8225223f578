mod rate_limit;
mod sessions;

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{call, get, metric, post};
use crate::redis_server::RedisServer;
use crate::running::{Running, until};

fn credentials(username: &str, password: &str) -> Value {
    json!({ "username": username, "password": password })
}

/// Registers a name and logs in with it: the answer's two tokens.
async fn logged_in(auth: &Running, username: &str) -> (String, String) {
    let right = credentials(username, "correct horse");
    assert_eq!(post(&auth.url("/register"), &right).await.status, 201);
    tokens(&post(&auth.url("/login"), &right).await.json())
}

fn tokens(answer: &Value) -> (String, String) {
    let token =
        |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer}")).to_owned();
    (token("token"), token("refresh_token"))
}

async fn verified(auth: &Running, token: &str) -> u16 {
    call(Method::GET, &auth.url("/verify"), Some(token), None).await.status.as_u16()
}

/// The value of `auth_NAME_total{result="RESULT"}`.
async fn counted(auth: &Running, name: &str, result: &str) -> u64 {
    let value = metric(&auth.url("/metrics"), &format!(r#"auth_{name}_total{{result="{result}"}}"#)).await;
    format!("{value}").parse().expect("a whole number")
}

#[tokio::test]
async fn whoever_registers_can_log_in_and_have_the_token_verified() {
    let redis = RedisServer::start().await;
    let auth = Running::auth(redis.url()).await;
    let ada = json!({ "username": "ada", "password": "correct horse" });

    let registered = post(&auth.url("/register"), &ada).await;
    assert_eq!(registered.status, 201, "{}", registered.text);
    assert_eq!(registered.json()["username"], "ada");
    assert_eq!(post(&auth.url("/register"), &ada).await.status, 409);

    let login = post(&auth.url("/login"), &ada).await;
    assert_eq!(login.status, 200, "{}", login.text);
    assert_eq!(login.json()["expires_in"], 3600);
    let token = login.json()["token"].as_str().expect("a token").to_owned();

    let verified = call(Method::GET, &auth.url("/verify"), Some(&token), None).await;
    assert_eq!(verified.status, 200);
    assert_eq!(verified.json()["subject"], registered.json()["id"]);

    assert_eq!(get(&auth.url("/verify")).await.status, 401);
    assert_eq!(call(Method::GET, &auth.url("/verify"), Some("forged"), None).await.status, 401);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_are_refused_alike_and_counted() {
    let redis = RedisServer::start().await;
    let auth = Running::auth(redis.url()).await;
    assert!(metric(&auth.url("/metrics"), r#"auth_attempts_total{result="success"}"#).await.abs() < 0.5);
    post(&auth.url("/register"), &json!({ "username": "ada", "password": "correct horse" })).await;

    let wrong = post(&auth.url("/login"), &json!({ "username": "ada", "password": "wrong horse" })).await;
    let unknown = post(&auth.url("/login"), &json!({ "username": "bob", "password": "correct horse" })).await;
    assert_eq!((wrong.status.as_u16(), unknown.status.as_u16()), (401, 401));
    assert_eq!(wrong.text, unknown.text);
    post(&auth.url("/login"), &json!({ "username": "ada", "password": "correct horse" })).await;

    let counted = |result| format!(r#"auth_attempts_total{{result="{result}"}}"#);
    assert!((metric(&auth.url("/metrics"), &counted("failure")).await - 2.0).abs() < 0.5);
    assert!((metric(&auth.url("/metrics"), &counted("success")).await - 1.0).abs() < 0.5);
}

#[tokio::test]
async fn a_token_is_worth_nothing_without_its_session() {
    let redis = RedisServer::start().await;
    let auth = Running::auth(redis.url()).await;
    let ada = json!({ "username": "ada", "password": "correct horse" });
    post(&auth.url("/register"), &ada).await;
    let login = post(&auth.url("/login"), &ada).await.json();
    let token = login["token"].as_str().expect("a token");

    let client = redis::Client::open(redis.url().expose()).expect("valid url");
    let mut connection = client.get_multiplexed_async_connection().await.expect("redis runs");
    let sessions: Vec<String> =
        redis::cmd("KEYS").arg("auth:session:*").query_async(&mut connection).await.expect("keys");
    assert_eq!(sessions.len(), 1);
    let seconds: i64 = redis::cmd("TTL").arg(&sessions).query_async(&mut connection).await.expect("ttl");
    assert!((7190..=7200).contains(&seconds), "{seconds}");
    let _: u64 = redis::cmd("DEL").arg(&sessions).query_async(&mut connection).await.expect("del");

    assert_eq!(call(Method::GET, &auth.url("/verify"), Some(token), None).await.status, 401);
}

#[tokio::test]
async fn unusable_credentials_are_refused() {
    let redis = RedisServer::start().await;
    let auth = Running::auth(redis.url()).await;
    for (username, password) in [("", "long enough"), ("a b", "long enough"), ("ada", "short")] {
        let body = json!({ "username": username, "password": password });
        assert_eq!(post(&auth.url("/register"), &body).await.status, 422, "{body}");
    }
}

#[tokio::test]
async fn without_redis_every_route_answers_503_and_the_service_recovers_by_itself() {
    let mut redis = RedisServer::start().await;
    let auth = Running::auth(redis.url()).await;
    let (token, refresh) = logged_in(&auth, "ada").await;

    redis.stop();
    let ada = credentials("ada", "correct horse");
    let refresh = json!({ "refresh_token": refresh });
    for (method, path, body) in [
        (Method::POST, "/register", Some(&ada)),
        (Method::POST, "/login", Some(&ada)),
        (Method::POST, "/refresh", Some(&refresh)),
        (Method::GET, "/verify", None),
        (Method::POST, "/logout", None),
    ] {
        let asked = Instant::now();
        let away = call(method, &auth.url(path), Some(&token), body).await;
        assert_eq!(away.status, 503, "{path}: {}", away.text);
        assert!(asked.elapsed() < Duration::from_secs(5), "{path} took {:?}", asked.elapsed());
    }
    assert_eq!(get(&auth.url("/health")).await.status, 503);
    assert_eq!(counted(&auth, "attempts", "failure").await + counted(&auth, "refreshes", "failure").await, 0);

    redis.start_again().await;
    until("the service has recovered", async || get(&auth.url("/health")).await.status == 200).await;
    assert_eq!(post(&auth.url("/register"), &ada).await.status, 201);
    assert_eq!(post(&auth.url("/login"), &ada).await.status, 200);
    assert_eq!(verified(&auth, &token).await, 401, "its session went with Redis");
}
