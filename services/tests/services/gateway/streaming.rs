use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use bytes::Bytes;
use futures_util::StreamExt;
use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::stand_in::{
    TIMEOUT, ask, calls, empty, gateway_before, gateway_before_bytes, read_head, serve, serve_on,
};
use crate::client::{get as ask_for, metric};
use crate::running::{Running, until};

const PIECE: usize = 64 * 1024;
const PIECES: usize = 64;

#[tokio::test]
async fn a_large_answer_arrives_piece_by_piece_as_it_is_made() {
    let (maker, pieces) = mpsc::unbounded_channel::<Bytes>();
    let pieces = Arc::new(tokio::sync::Mutex::new(Some(pieces)));
    let application = Router::new().route(
        "/users",
        get(move || async move {
            let pieces = pieces.lock().await.take().expect("asked once");
            Body::from_stream(futures_util::stream::unfold(pieces, async |mut pieces| {
                Some((Ok::<_, Infallible>(pieces.recv().await?), pieces))
            }))
        }),
    );
    let gateway = gateway_before(application).await;
    let answer = ask(Request::get(gateway.url("/api/users")).body(empty()).expect("valid")).await;
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body().into_data_stream();
    for piece in 0..PIECES {
        // The next piece is not made before this one has arrived.
        maker.send(Bytes::from(vec![b'x'; PIECE])).expect("it is awaited");
        let mut arrived = 0;
        while arrived < PIECE {
            arrived += body.next().await.expect("more").expect("no error").len();
        }
        assert_eq!(arrived, PIECE, "piece {piece}");
    }
    drop(maker);
    assert!(body.next().await.is_none(), "it ends as the upstream's ended");
}

#[tokio::test]
async fn an_answer_that_breaks_off_never_looks_whole() {
    for head in ["content-length: 1000", "transfer-encoding: chunked"] {
        let gateway = gateway_before_bytes(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n4\r\nhalf\r\n")).await;
        let answer = ask(Request::get(gateway.url("/api/users")).body(empty()).expect("valid")).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.into_body().collect().await.is_err(), "{head}");
        assert!((calls(&gateway, "user", "2xx").await - 1.0).abs() < 0.5, "its head had arrived");
    }
}

#[tokio::test]
async fn an_answer_that_falls_silent_is_cut_off() {
    let silent = Router::new().route(
        "/users",
        get(async || {
            let first = futures_util::stream::iter([Ok::<_, Infallible>("first")]);
            Body::from_stream(first.chain(futures_util::stream::pending()))
        }),
    );
    let address = serve(silent.route("/verify", get(async || ()))).await;
    let gateway = Running::gateway([address; 4], Duration::from_millis(200)).await;
    let answer = ask(Request::get(gateway.url("/api/users")).body(empty()).expect("valid")).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.into_body().collect().await.is_err());
}

#[tokio::test]
async fn an_upstream_that_closes_before_its_answer_is_502_and_counted_as_broken() {
    let gateway = gateway_before_bytes("").await;
    let answer = ask(Request::get(gateway.url("/api/users")).body(empty()).expect("valid")).await;
    assert_eq!(answer.status(), 502);
    for (outcome, count) in [("broken", 1.0), ("connect_error", 0.0), ("1xx", 0.0), ("timeout", 0.0)] {
        assert!((calls(&gateway, "user", outcome).await - count).abs() < 0.5, "{outcome}");
    }
}

#[tokio::test]
async fn nobody_is_called_before_a_slow_clients_body_is_there() {
    let application = Router::new().route("/register", post(async |body: Bytes| body.len().to_string()));
    let gateway = gateway_before(application).await;
    let mut client = TcpStream::connect(gateway.address).await.expect("it listens");
    let head = "POST /api/auth/register HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n";
    client.write_all(format!("{head}content-length: 4\r\n\r\nha").as_bytes()).await.expect("sent");
    let metrics = gateway.url("/metrics");
    until("the request is in progress", async || metric(&metrics, "active_connections").await > 1.5).await;
    let called = async || {
        let text = ask_for(&metrics).await.text;
        let calls = text.lines().filter(|line| line.starts_with("upstream_requests_total{"));
        calls.filter(|line| !line.ends_with(" 0")).count()
    };
    assert_eq!(called().await, 0);
    client.write_all(b"lf").await.expect("sent");
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("a whole answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n4"), "{answer}");
    assert_eq!(called().await, 1);
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_however_its_length_is_told() {
    let gateway = gateway_before(Router::new().route("/register", post(async || ()))).await;
    let large = vec![b'x'; 64 * 1024 + 1];
    let url = gateway.url("/api/auth/register");
    let told = Request::post(&url).body(Full::from(large.clone())).expect("valid");
    assert_eq!(ask(told).await.status(), 413);

    let mut client = TcpStream::connect(gateway.address).await.expect("it listens");
    let head = "POST /api/auth/register HTTP/1.1\r\nhost: gateway\r\ntransfer-encoding: chunked\r\n\r\n";
    client.write_all(head.as_bytes()).await.expect("sent");
    client.write_all(format!("{:x}\r\n", large.len()).as_bytes()).await.expect("sent");
    client.write_all(&large).await.expect("sent");
    assert!(read_head(&mut client).await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn connections_are_kept_and_a_restarted_upstream_is_found_again() {
    let listen = async |address| TcpListener::bind(address).await.expect("the port is free");
    let application = || Router::new().route("/users", get(async || ()));
    let listener = listen("127.0.0.1:0".parse().expect("an address")).await;
    let user = listener.local_addr().expect("bound");
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    let counted = listener.tap_io(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let first = tokio::spawn(async move {
        let stopped = async { stopped.await.expect("told") };
        axum::serve(counted, application()).with_graceful_shutdown(stopped).await
    });
    let auth = serve(Router::new().route("/verify", get(async || ()))).await;
    let gateway = Running::gateway([auth, user, auth, auth], TIMEOUT).await;
    let url = gateway.url("/api/users");
    for _ in 0..20 {
        assert_eq!(ask_for(&url).await.status, 200);
    }
    assert_eq!(accepted.load(Ordering::Relaxed), 1);

    stop.send(()).expect("it serves");
    first.await.expect("no panic").expect("served");
    serve_on(listen(user).await, application());
    for _ in 0..20 {
        assert_eq!(ask_for(&url).await.status, 200);
    }
    for (outcome, count) in [("2xx", 40.0), ("broken", 0.0), ("connect_error", 0.0)] {
        assert!((calls(&gateway, "user", outcome).await - count).abs() < 0.5, "{outcome}");
    }
}
