mod conditional;
pub(crate) mod headers;
mod pages;

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{call, delete, get, post, put};
use crate::redis_server::RedisServer;
use crate::running::{Running, until, with_token};

/// A new user as it was answered.
async fn create(user: &Running, name: &str, email: &str) -> Value {
    let answer = post(&user.url("/users"), &json!({ "name": name, "email": email })).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

async fn renamed(one: &str, name: &str, email: &str) {
    let answer = put(one, &json!({ "name": name, "email": email })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// The URL of a user.
fn one(service: &Running, user: &Value) -> String {
    service.url(&format!("/users/{}", user["id"].as_str().expect("an id")))
}

fn names(list: &Value) -> Vec<String> {
    let users = list["users"].as_array().expect("a list");
    users.iter().map(|user| user["name"].as_str().expect("a name").to_owned()).collect()
}

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
    assert_eq!(names(&list), ["user 4", "user 3", "user 2"]);
    for limit in ["0", "101", "x"] {
        assert_eq!(get(&user.url(&format!("/users?limit={limit}"))).await.status, 422, "{limit}");
    }
}

#[tokio::test]
async fn users_that_were_created_changed_and_deleted_leave_nothing_behind() {
    let redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let client = redis::Client::open(redis.url().expose()).expect("valid url");
    let mut connection = client.get_multiplexed_async_connection().await.expect("redis runs");
    let long = "a".repeat(190);
    let mut used_bytes = Vec::new();
    // The first round is what Redis needs once: its scripts, its connections, the sequence.
    for _ in 0..2 {
        for number in 0..200 {
            let email = format!("{number}@{long}.org");
            let one = one(&user, &create(&user, &format!("{long} {number}"), &email).await);
            renamed(&one, &format!("{number} {long}"), &format!("other-{email}")).await;
            assert_eq!(delete(&one).await.status, 204);
        }
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.expect("keys");
        assert_eq!(keys, ["user:sequence"]);
        let memory: String =
            redis::cmd("INFO").arg("memory").query_async(&mut connection).await.expect("info");
        let bytes = memory.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("a figure");
        used_bytes.push(bytes.trim().parse::<i64>().expect("a number"));
    }
    let grown = used_bytes[1] - used_bytes[0];
    assert!(grown < 100 * 1024, "200 users of about 1 KiB left {grown} bytes");
}

#[tokio::test]
async fn without_redis_every_route_answers_503_and_the_service_recovers_by_itself() {
    let mut redis = RedisServer::start().await;
    let user = Running::user(redis.url(), with_token()).await;
    let users = user.url("/users");
    assert_eq!(get(&users).await.status, 200);
    assert_eq!(get(&user.url("/health")).await.status, 200);

    redis.stop();
    let one = user.url("/users/3d0ca315-aff9-4fc2-be61-3b76b9a2d798");
    let search = user.url("/users/search?prefix=a");
    let body = json!({ "name": "A", "email": "a@example.org" });
    for (method, url, body) in [
        (Method::POST, &users, Some(&body)),
        (Method::GET, &users, None),
        (Method::GET, &search, None),
        (Method::GET, &one, None),
        (Method::PUT, &one, Some(&body)),
        (Method::DELETE, &one, None),
    ] {
        let asked = Instant::now();
        let away = call(method.clone(), url, None, body).await;
        assert_eq!(away.status, 503, "{method} {url}: {}", away.text);
        assert!(asked.elapsed() < Duration::from_secs(5), "{method} {url} took {:?}", asked.elapsed());
    }
    let health = get(&user.url("/health")).await;
    assert_eq!(health.status, 503);
    assert!(health.text.contains("redis is unavailable"), "{}", health.text);

    redis.start_again().await;
    until("the service has recovered", async || get(&users).await.status == 200).await;
    assert_eq!(get(&user.url("/health")).await.status, 200);
}
