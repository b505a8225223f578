use serde_json::json;

use crate::client::{delete, get, post, put};
use crate::redis_server::RedisServer;
use crate::running::{Running, until, with_token};

#[tokio::test]
async fn a_user_is_created_read_changed_and_deleted() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;

    let created = post(&user.url("/users"), &json!({ "name": "Ada", "email": "ada@example.org" })).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let one = user.url(&format!("/users/{}", created.json()["id"].as_str().expect("an id")));

    assert_eq!(get(&one).await.json(), created.json());
    let changed =
        put(&one, &json!({ "username": "ada", "name": "Ada L.", "email": "ada@example.com" })).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(get(&one).await.json(), changed.json());
    assert_eq!(changed.json()["username"], "ada");
    assert_eq!(delete(&one).await.status, 204);
    assert_eq!(get(&one).await.status, 404);
    assert_eq!(delete(&one).await.status, 404);
    let body = json!({ "name": "Ada", "email": "ada@example.org" });
    assert_eq!(put(&one, &body).await.status, 404);
    assert_eq!(get(&user.url("/users/no-id")).await.status, 404);
}

#[tokio::test]
async fn an_email_belongs_to_one_user_until_it_is_given_up() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let with_email = |email: &str| json!({ "name": "A", "email": email });

    let first = post(&user.url("/users"), &with_email("one@example.org")).await;
    assert_eq!(post(&user.url("/users"), &with_email("ONE@example.org")).await.status, 409);
    let second = post(&user.url("/users"), &with_email("two@example.org")).await;
    let second = user.url(&format!("/users/{}", second.json()["id"].as_str().expect("an id")));
    assert_eq!(put(&second, &with_email("one@example.org")).await.status, 409);

    let first = user.url(&format!("/users/{}", first.json()["id"].as_str().expect("an id")));
    assert_eq!(put(&first, &with_email("uno@example.org")).await.status, 200);
    assert_eq!(put(&second, &with_email("one@example.org")).await.status, 200);
    assert_eq!(delete(&first).await.status, 204);
    assert_eq!(post(&user.url("/users"), &with_email("uno@example.org")).await.status, 201);
}

#[tokio::test]
async fn of_many_at_once_with_one_email_one_is_created() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let url = user.url("/users");
    let body = json!({ "name": "A", "email": "same@example.org" });
    let answers = futures_util::future::join_all((0..10).map(|_| post(&url, &body))).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.iter().filter(|answer| answer.status == 409).count();
    assert_eq!((created, refused), (1, 9));
}

#[tokio::test]
async fn the_list_has_the_newest_first_and_is_bounded() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    for number in 0..5 {
        let body = json!({ "name": format!("user {number}"), "email": format!("{number}@example.org") });
        post(&user.url("/users"), &body).await;
    }
    let list = get(&user.url("/users?limit=3")).await.json();
    let names: Vec<&str> =
        list["users"].as_array().expect("a list").iter().filter_map(|user| user["name"].as_str()).collect();
    assert_eq!(names, ["user 4", "user 3", "user 2"]);
    for limit in ["0", "101", "x"] {
        assert_eq!(get(&user.url(&format!("/users?limit={limit}"))).await.status, 422, "{limit}");
    }
}

#[tokio::test]
async fn without_redis_the_service_answers_503_and_recovers_by_itself() {
    let mut redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let users = user.url("/users");
    assert_eq!(get(&users).await.status, 200);
    assert_eq!(get(&user.url("/health")).await.status, 200);

    redis.stop();
    let away = get(&users).await;
    assert_eq!(away.status, 503, "{}", away.text);
    let health = get(&user.url("/health")).await;
    assert_eq!(health.status, 503);
    assert!(health.text.contains("redis is unavailable"), "{}", health.text);

    redis.start_again().await;
    until("the service has recovered", async || get(&users).await.status == 200).await;
    assert_eq!(get(&user.url("/health")).await.status, 200);
}
