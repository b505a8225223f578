use serde_json::Value;

use super::{create, names, one, renamed};
use crate::client::{delete, get};
use crate::redis_server::RedisServer;
use crate::running::{Running, with_token};

/// The page behind `after`, or the first.
async fn page(user: &Running, path: &str, after: &Value) -> Value {
    let after = after.as_str().map(|cursor| format!("&after={cursor}")).unwrap_or_default();
    let answer = get(&user.url(&format!("{path}{after}"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn pages_have_every_user_once_while_others_come_and_go() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let mut created = Vec::new();
    for number in 0..7 {
        created.push(create(&user, &format!("user {number}"), &format!("{number}@example.org")).await);
    }
    let first = page(&user, "/users?limit=3", &Value::Null).await;
    assert_eq!(names(&first), ["user 6", "user 5", "user 4"]);
    // A newer one, and the very one that the cursor stands at goes.
    create(&user, "newer", "newer@example.org").await;
    assert_eq!(delete(&one(&user, &created[4])).await.status, 204);
    let second = page(&user, "/users?limit=3", &first["next"]).await;
    assert_eq!(names(&second), ["user 3", "user 2", "user 1"]);
    let last = page(&user, "/users?limit=3", &second["next"]).await;
    assert_eq!((names(&last), &last["next"]), (vec!["user 0".to_owned()], &Value::Null));
}

#[tokio::test]
async fn a_page_that_ends_the_list_has_no_next_even_when_it_is_full() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    assert_eq!(page(&user, "/users?limit=2", &Value::Null).await["next"], Value::Null);
    for number in 0..2 {
        create(&user, "Ada", &format!("{number}@example.org")).await;
    }
    for path in ["/users?limit=2", "/users/search?prefix=ada&limit=2"] {
        let full = page(&user, path, &Value::Null).await;
        assert_eq!((names(&full).len(), &full["next"]), (2, &Value::Null), "{path}");
    }
}

#[tokio::test]
async fn a_search_finds_names_by_their_beginning_in_any_case_and_in_order() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    for (number, name) in ["Zoë", "ADAM", "Ada Lovelace", "ada", "Ad*", "Bea", "Ódin"].iter().enumerate() {
        create(&user, name, &format!("{number}@example.org")).await;
    }
    for (prefix, expected) in [
        ("ada", vec!["ada", "Ada Lovelace", "ADAM"]),
        ("ADA%20", vec!["Ada Lovelace"]),
        ("ad*", vec!["Ad*"]),
        ("zO%C3%8B", vec!["Zoë"]),
        ("%C3%B3", vec!["Ódin"]),
        ("c", vec![]),
        ("(", vec![]),
    ] {
        let found = page(&user, &format!("/users/search?prefix={prefix}"), &Value::Null).await;
        assert_eq!(names(&found), expected, "{prefix}");
    }
}

#[tokio::test]
async fn a_search_goes_on_where_its_last_page_ended_among_equal_names_too() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let mut expected = Vec::new();
    for number in 0..5 {
        expected.push(create(&user, "Ada", &format!("{number}@example.org")).await);
    }
    create(&user, "Bea", "bea@example.org").await;
    let (mut found, mut next) = (Vec::new(), Value::Null);
    for _ in 0..3 {
        let two = page(&user, "/users/search?prefix=a&limit=2", &next).await;
        found.extend(two["users"].as_array().expect("a list").iter().cloned());
        next = two["next"].clone();
    }
    assert_eq!(next, Value::Null);
    let id = |user: &Value| user["id"].to_string();
    expected.sort_by_key(id);
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_search_follows_every_change_of_a_name() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let found = async |prefix: &str| {
        names(&page(&user, &format!("/users/search?prefix={prefix}"), &Value::Null).await)
    };
    let ada = one(&user, &create(&user, "Ada", "ada@example.org").await);
    renamed(&ada, "Bea", "ada@example.org").await;
    assert_eq!((found("a").await, found("b").await), (vec![], vec!["Bea".to_owned()]));
    renamed(&ada, "Bea", "bea@example.org").await;
    assert_eq!(found("b").await, ["Bea"]);
    assert_eq!(delete(&ada).await.status, 204);
    assert!(found("b").await.is_empty());
}

#[tokio::test]
async fn what_is_no_cursor_or_no_prefix_is_refused() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    for number in 0..2 {
        create(&user, "Ada", &format!("{number}@example.org")).await;
    }
    let of_a = page(&user, "/users/search?prefix=a&limit=1", &Value::Null).await;
    let of_a = of_a["next"].as_str().expect("a cursor");
    let long = "a".repeat(201);
    for path in [
        "/users?after=".to_owned(),
        "/users?after=x".to_owned(),
        "/users?after=ff".to_owned(),
        format!("/users?after={of_a}"),
        format!("/users/search?prefix=b&after={of_a}"),
        "/users/search?prefix=a&after=".to_owned(),
        "/users/search?prefix=a&limit=0".to_owned(),
        "/users/search?prefix=a&limit=101".to_owned(),
        "/users/search?prefix=".to_owned(),
        "/users/search?prefix=a%00".to_owned(),
        format!("/users/search?prefix={long}"),
        "/users/search".to_owned(),
    ] {
        assert_eq!(get(&user.url(&path)).await.status, 422, "{path}");
    }
}
