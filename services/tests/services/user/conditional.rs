use http::{HeaderMap, Method, header};
use serde_json::json;

use super::headers::exchange;
use super::{create, one};
use crate::client::get;
use crate::redis_server::RedisServer;
use crate::running::{Running, with_token};

fn tag(headers: &HeaderMap) -> String {
    headers[header::ETAG].to_str().expect("ascii").to_owned()
}

#[tokio::test]
async fn every_change_of_a_user_gives_it_a_new_strong_entity_tag() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let ada = json!({ "name": "Ada", "email": "ada@example.org" });
    let (status, created) = exchange(Method::POST, &user.url("/users"), None, Some(&ada)).await;
    assert_eq!(status, 201);
    assert!(tag(&created).starts_with('"'), "{}", tag(&created));

    let list = get(&user.url("/users")).await.json();
    let one = one(&user, &list["users"][0]);
    assert_eq!(tag(&exchange(Method::GET, &one, None, None).await.1), tag(&created));
    let (status, changed) = exchange(Method::PUT, &one, None, Some(&ada)).await;
    assert_eq!(status, 200);
    assert_ne!(tag(&changed), tag(&created));
    assert_eq!(tag(&exchange(Method::GET, &one, None, None).await.1), tag(&changed));
}

#[tokio::test]
async fn a_user_that_has_changed_is_neither_replaced_nor_deleted_by_who_has_not_seen_it() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let one = one(&user, &create(&user, "Ada", "ada@example.org").await);
    let first = tag(&exchange(Method::GET, &one, None, None).await.1);
    let put = async |name: &str, tag: &str| {
        let body = json!({ "name": name, "email": "ada@example.org" });
        exchange(Method::PUT, &one, Some((header::IF_MATCH, tag)), Some(&body)).await
    };
    let delete =
        async |tag: &str| exchange(Method::DELETE, &one, Some((header::IF_MATCH, tag)), None).await.0;

    let (status, changed) = put("Ada L.", &first).await;
    assert_eq!(status, 200);
    for stale in [first.as_str(), "\"\"", "7", &format!("W/{}", tag(&changed))] {
        assert_eq!(put("Eve", stale).await.0, 412, "{stale}");
        assert_eq!(delete(stale).await, 412, "{stale}");
    }
    assert_eq!(get(&one).await.json()["name"], "Ada L.");
    assert_eq!(put("Ada M.", &format!("\"x\", {}", tag(&changed))).await.0, 200);
    assert_eq!(put("Ada N.", "*").await.0, 200);
    let latest = tag(&exchange(Method::GET, &one, None, None).await.1);
    assert_eq!(delete(&latest).await, 204);
    assert_eq!(delete(&latest).await, 404);
    assert_eq!(put("Ada", &latest).await.0, 404);
}

#[tokio::test]
async fn of_many_changes_of_one_version_one_is_made() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let one = one(&user, &create(&user, "Ada", "ada@example.org").await);
    let tag = tag(&exchange(Method::GET, &one, None, None).await.1);
    let changes = (0..10).map(|number| {
        let body = json!({ "name": format!("Ada {number}"), "email": "ada@example.org" });
        let (one, tag) = (&one, &tag);
        async move { exchange(Method::PUT, one, Some((header::IF_MATCH, tag)), Some(&body)).await.0 }
    });
    let mut statuses = futures_util::future::join_all(changes).await;
    statuses.sort_unstable();
    assert!(statuses[0] == 200 && statuses[1..].iter().all(|status| *status == 412), "{statuses:?}");
}

#[tokio::test]
async fn who_has_the_current_version_is_not_sent_it_again() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let one = one(&user, &create(&user, "Ada", "ada@example.org").await);
    let current = tag(&exchange(Method::GET, &one, None, None).await.1);
    let read = async |tag: &str| exchange(Method::GET, &one, Some((header::IF_NONE_MATCH, tag)), None).await;

    for known in [current.as_str(), "*", &format!("\"x\", W/{current}")] {
        let (status, headers) = read(known).await;
        assert_eq!((status.as_u16(), tag(&headers)), (304, current.clone()), "{known}");
    }
    assert_eq!(read("\"x\"").await.0, 200);
    let body = json!({ "name": "Ada L.", "email": "ada@example.org" });
    exchange(Method::PUT, &one, None, Some(&body)).await;
    assert_eq!(read(&current).await.0, 200);
}
