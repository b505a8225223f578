use axum::Router;
use axum::extract::Request as Asked;
use axum::routing::{any, get};
use http::{Request, StatusCode};
use http_body_util::BodyExt;

use super::stand_in::{TIMEOUT, ask, empty, serve};
use crate::client::get as ask_for;
use crate::running::Running;

/// Lets every token through and says to everything else who was asked for what. It answers 503, which is
/// possible on every route.
fn saying(name: &'static str) -> Router {
    let say = async move |asked: Asked| {
        let said = format!("{name}: {} {}", asked.method(), asked.uri());
        (StatusCode::SERVICE_UNAVAILABLE, said)
    };
    Router::new().fallback(any(say))
}

async fn series(gateway: &Running) -> Vec<String> {
    let text = ask_for(&gateway.url("/metrics")).await.text;
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
}

#[tokio::test]
async fn each_route_goes_to_its_upstream_and_brings_no_new_series() {
    let checking = Router::new().route("/verify", get(async || ()));
    let auth = serve(saying("auth").merge(checking)).await;
    let [user, chat, notification] =
        [serve(saying("user")).await, serve(saying("chat")).await, serve(saying("notification")).await];
    let gateway = Running::gateway([auth, user, chat, notification], TIMEOUT).await;
    let before = series(&gateway).await;
    for (method, path, expected) in [
        ("POST", "/api/auth/register", "auth: POST /register"),
        ("POST", "/api/auth/login", "auth: POST /login"),
        ("POST", "/api/auth/refresh", "auth: POST /refresh"),
        ("POST", "/api/auth/logout", "auth: POST /logout"),
        ("GET", "/api/auth/verify", ""),
        ("GET", "/api/users?limit=5&after=x", "user: GET /users?limit=5&after=x"),
        ("POST", "/api/users", "user: POST /users"),
        ("GET", "/api/users/search?prefix=a%20b", "user: GET /users/search?prefix=a%20b"),
        ("GET", "/api/users/7", "user: GET /users/7"),
        ("PUT", "/api/users/7", "user: PUT /users/7"),
        ("DELETE", "/api/users/7", "user: DELETE /users/7"),
        ("GET", "/api/chat/rooms", "chat: GET /rooms"),
        ("GET", "/api/chat/rooms/a/messages?after=0-0", "chat: GET /rooms/a/messages?after=0-0"),
        ("GET", "/api/chat/rooms/a/ws?member=m", "chat: GET /rooms/a/ws?member=m"),
        ("GET", "/api/notifications", "notification: GET /notifications"),
        ("POST", "/api/notifications", "notification: POST /notifications"),
    ] {
        let request = Request::builder().method(method).uri(gateway.url(path));
        let body = ask(request.body(empty()).expect("valid")).await.into_body().collect().await;
        assert_eq!(body.expect("whole").to_bytes(), expected, "{method} {path}");
    }
    assert_eq!(series(&gateway).await, before);
}
