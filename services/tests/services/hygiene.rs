use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use serde_json::json;

use crate::client::{Answer, delete, get, post, send};
use crate::redis_server::RedisServer;
use crate::running::{Running, with_token};

async fn post_raw(url: &str, content_type: &str, body: impl Into<Bytes>) -> Answer {
    let request = Request::post(url).header(header::CONTENT_TYPE, content_type);
    send(request.body(Full::new(body.into())).expect("valid")).await
}

#[tokio::test]
async fn each_kind_of_bad_request_has_its_status_and_a_json_body() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let users = user.url("/users");
    let json = "application/json";
    let answers = [
        (400, post_raw(&users, json, "{").await),
        (422, post_raw(&users, json, r#"{"name": 7, "email": "a@b"}"#).await),
        (422, post_raw(&users, json, r#"{"name": "A"}"#).await),
        (422, post(&users, &json!({ "name": "A", "email": "nobody" })).await),
        (415, post_raw(&users, "text/plain", "{}").await),
        (413, post_raw(&users, json, vec![b' '; 64 * 1024 + 1]).await),
        (400, get(&user.url("/users/%FF")).await),
        (404, get(&user.url("/nowhere")).await),
        (405, delete(&users).await),
    ];
    for (status, answer) in answers {
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.content_type, "application/json");
        assert!(answer.json()["error"].is_string(), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_service_that_stops_finishes_and_closes_its_idle_connections() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    assert_eq!(get(&user.url("/health")).await.status, 200);
    let _idle = tokio::net::TcpStream::connect(user.address).await.expect("it listens");
    let address = user.address;
    user.begin_to_stop().await.expect("no panic").expect("served");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "it no longer listens");
}
