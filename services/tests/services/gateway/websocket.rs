use std::time::Duration;

use axum::Router;
use axum::extract::ws::{CloseFrame as Close, Message as Frame, WebSocket, WebSocketUpgrade};
use axum::response::IntoResponse;
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::stand_in::{TIMEOUT, calls, gateway_before, serve};
use crate::client::{call, get as ask_for, metric, post};
use crate::redis_server::RedisServer;
use crate::running::Running;

type Socket = WebSocketStream<TcpStream>;

async fn join(gateway: &Running, token: &str) -> Result<Socket, Error> {
    let url = format!("ws://{}/api/chat/rooms/lobby/ws?member=ada", gateway.address);
    let mut request = url.into_client_request().expect("valid");
    request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().expect("ASCII"));
    let stream = TcpStream::connect(gateway.address).await.expect("it listens");
    client_async(request, stream).await.map(|(socket, _)| socket)
}

async fn next(socket: &mut Socket) -> Option<Result<Message, Error>> {
    tokio::time::timeout(Duration::from_secs(10), socket.next()).await.expect("within 10 s")
}

async fn close_code(socket: &mut Socket) -> Option<u16> {
    match next(socket).await {
        Some(Ok(Message::Close(frame))) => frame.map(|CloseFrame { code, .. }| code.into()),
        other => panic!("no close: {other:?}"),
    }
}

/// A chat service that does this with every socket.
fn chat<F>(with: impl Fn(WebSocket) -> F + Clone + Send + Sync + 'static) -> Router
where
    F: Future<Output = ()> + Send + 'static,
{
    let upgrade = move |headers: HeaderMap, upgrade: WebSocketUpgrade| {
        let with = with.clone();
        async move {
            if headers.contains_key(header::AUTHORIZATION) {
                return StatusCode::IM_A_TEAPOT.into_response();
            }
            upgrade.max_message_size(16 << 20).max_frame_size(16 << 20).on_upgrade(with)
        }
    };
    Router::new().route("/rooms/{room}/ws", get(upgrade))
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(frame)) = socket.recv().await {
        if matches!(frame, Frame::Text(_) | Frame::Binary(_)) && socket.send(frame).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn frames_of_any_size_pass_both_ways_until_the_client_closes() {
    let gateway = gateway_before(chat(echo)).await;
    let mut socket = join(&gateway, "good").await.expect("upgraded");
    for length in [0, 125, 126, 65_536, 4 << 20] {
        let frame = Message::binary(vec![b'x'; length]);
        socket.send(frame.clone()).await.expect("sent");
        assert_eq!(next(&mut socket).await.expect("open").expect("no error"), frame, "{length} bytes");
    }
    let goodbye = CloseFrame { code: 4001.into(), reason: "enough".into() };
    socket.send(Message::Close(Some(goodbye))).await.expect("sent");
    assert_eq!(close_code(&mut socket).await, Some(4001), "the other end has answered");
    assert!(next(&mut socket).await.is_none());

    assert!((calls(&gateway, "chat", "1xx").await - 1.0).abs() < 0.5);
    let upgrades = r#"http_requests_total{method="GET",route="/api/chat/rooms/{room}/ws",status="101"}"#;
    assert!((metric(&gateway.url("/metrics"), upgrades).await - 1.0).abs() < 0.5);
}

#[tokio::test]
async fn a_close_of_the_service_reaches_the_client_with_its_code() {
    let gateway = gateway_before(chat(|mut socket| async move {
        let _ = socket.send(Frame::text("last words")).await;
        let _ = socket.send(Frame::Close(Some(Close { code: 1013, reason: "".into() }))).await;
        while socket.recv().await.is_some() {}
    }))
    .await;
    let mut socket = join(&gateway, "good").await.expect("upgraded");
    assert_eq!(next(&mut socket).await.expect("open").expect("no error"), Message::text("last words"));
    assert_eq!(close_code(&mut socket).await, Some(1013));
    assert!(next(&mut socket).await.is_none());
}

#[tokio::test]
async fn an_end_that_vanishes_ends_the_other() {
    let (told, mut ended) = mpsc::unbounded_channel();
    let gateway = gateway_before(chat(move |mut socket| {
        let told = told.clone();
        async move {
            let first = socket.recv().await;
            // Asked to, it vanishes without a word; else it waits for the client to.
            if !matches!(first, Some(Ok(Frame::Text(_)))) {
                let _ = told.send(());
            }
        }
    }))
    .await;
    let mut socket = join(&gateway, "good").await.expect("upgraded");
    socket.send(Message::text("vanish")).await.expect("sent");
    assert!(!matches!(next(&mut socket).await, Some(Ok(_))));

    drop(join(&gateway, "good").await.expect("upgraded"));
    tokio::time::timeout(Duration::from_secs(10), ended.recv()).await.expect("within 10 s").expect("told");
}

#[tokio::test]
async fn a_gateway_that_stops_ends_its_websockets_within_its_grace() {
    let gateway = gateway_before(chat(echo)).await;
    let mut socket = join(&gateway, "good").await.expect("upgraded");
    socket.send(Message::text("hello")).await.expect("sent");
    assert_eq!(next(&mut socket).await.expect("open").expect("no error"), Message::text("hello"));
    let stopping = gateway.begin_to_stop();
    assert!(!matches!(next(&mut socket).await, Some(Ok(_))));
    let stopped = tokio::time::timeout(Duration::from_secs(4), stopping).await;
    stopped.expect("it does not wait out its grace").expect("no panic").expect("served");
}

#[tokio::test]
async fn what_is_no_upgrade_is_relayed_and_a_refusal_too() {
    let gateway = gateway_before(chat(echo)).await;
    assert_eq!(ask_for(&gateway.url("/api/chat/rooms/lobby/ws")).await.status, 400);

    let verify = Router::new().route("/verify", get(async || StatusCode::UNAUTHORIZED));
    let gateway = Running::gateway([serve(verify).await; 4], TIMEOUT).await;
    let Err(Error::Http(refused)) = join(&gateway, "bad").await else { panic!("no upgrade") };
    assert_eq!(refused.status(), 401);
    assert!((calls(&gateway, "chat", "4xx").await).abs() < 0.5, "chat was not asked");
}

#[tokio::test]
async fn members_meet_in_a_room_of_the_chat_service() {
    let redis = RedisServer::start().await;
    let (auth, chat) = (Running::auth(redis.url()).await, Running::chat(redis.url()).await);
    let gateway = Running::gateway([auth.address, auth.address, chat.address, auth.address], TIMEOUT).await;
    let ada = json!({ "username": "ada", "password": "correct horse" });
    post(&gateway.url("/api/auth/register"), &ada).await;
    let login = post(&gateway.url("/api/auth/login"), &ada).await.json();
    let token = login["token"].as_str().expect("a token");

    assert!(matches!(join(&gateway, "forged").await, Err(Error::Http(refused)) if refused.status() == 401));
    let mut socket = join(&gateway, token).await.expect("upgraded");
    let mut frame = async || {
        let message = next(&mut socket).await.expect("open").expect("no error");
        let frame: Value = serde_json::from_str(message.to_text().expect("text")).expect("JSON");
        (frame, socket.send(Message::text(r#"{"id": "1", "text": "hello"}"#)).await)
    };
    assert_eq!(frame().await.0["joined"], "lobby");
    assert_eq!(frame().await.0["text"], "hello");
    let rooms = call(http::Method::GET, &gateway.url("/api/chat/rooms"), Some(token), None).await.json();
    assert_eq!(rooms["rooms"][0]["connections"], 1);
}
