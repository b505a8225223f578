//! Upstreams that do as a test wants, and a client that shows heads and bodies as they come.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::client::metric;
use crate::running::Running;

pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

/// A gateway all of whose upstreams are this application; every token is good.
pub(super) async fn gateway_before(application: Router) -> Running {
    let address = serve(application.route("/verify", get(async || ()))).await;
    Running::gateway([address; 4], TIMEOUT).await
}

/// A gateway whose user service answers each connection's first request with these bytes and closes; every
/// token is good.
pub(super) async fn gateway_before_bytes(answer: impl Into<Bytes>) -> Running {
    let auth = serve(Router::new().route("/verify", get(async || ()))).await;
    Running::gateway([auth, bytes(answer.into()).await, auth, auth], TIMEOUT).await
}

pub(super) async fn serve(application: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    serve_on(listener, application);
    address
}

pub(super) fn serve_on(listener: TcpListener, application: Router) -> JoinHandle<()> {
    tokio::spawn(async move { axum::serve(listener, application).await.expect("served") })
}

async fn bytes(answer: Bytes) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                read_head(&mut stream).await;
                stream.write_all(&answer).await.expect("written");
                // Whatever else the gateway says is read, so that closing loses no byte of the answer.
                stream.shutdown().await.expect("shut down");
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
        }
    });
    address
}

/// Reads until the empty line.
pub(super) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await.expect("a whole head");
        head.push(byte);
    }
    String::from_utf8(head).expect("utf-8")
}

/// The head of the answer, and its body to be read.
pub(super) async fn ask(request: Request<Full<Bytes>>) -> Response<Incoming> {
    Client::builder(TokioExecutor::new()).build_http().request(request).await.expect("an answer")
}

pub(super) fn empty() -> Full<Bytes> {
    Full::new(Bytes::new())
}

/// How many calls of an upstream came to this.
pub(super) async fn calls(gateway: &Running, upstream: &str, outcome: &str) -> f64 {
    let series = format!(r#"upstream_requests_total{{upstream="{upstream}",outcome="{outcome}"}}"#);
    metric(&gateway.url("/metrics"), &series).await
}
