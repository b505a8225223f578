use http::Method;
use serde_json::json;

use crate::client::{call, get, metric, post};
use crate::redis_server::RedisServer;
use crate::running::Running;

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
    assert!((3590..=3600).contains(&seconds), "{seconds}");
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
