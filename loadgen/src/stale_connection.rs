//! For tests of both clients: a server that closes a kept-alive connection just before it is used again.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::transport::{Outcome, OutgoingRequest, Transport};

/// Sends a request, has the server close the idle connection, and sends another before the client has looked at it.
/// Asserts that both are answered and that the server saw each of them once.
///
/// The runtime must have one thread, so that this function decides what the client sees when.
pub(crate) async fn costs_no_request(transport: &dyn Transport) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (close, may_close) = mpsc::channel::<()>();
    let (closed, was_closed) = mpsc::channel::<()>();
    let server = std::thread::spawn(move || {
        let mut seen = Vec::new();
        for _ in 0..2 {
            let mut stream = listener.accept().unwrap().0;
            let head = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            seen.extend(head.take_while(|line| !line.is_empty()).take(1));
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
            may_close.recv().unwrap();
            drop(stream);
            closed.send(()).unwrap();
        }
        seen
    });
    for number in 0..2 {
        let request = OutgoingRequest {
            method: Method::GET,
            url: format!("{url}{number}"),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            keep_body: true,
        };
        let outcome = transport.send(request).await;
        assert_eq!(outcome, Outcome::Answered { status: 200, body: b"ok".to_vec() });
        // The connection goes back to the pool.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        close.send(()).unwrap();
        was_closed.recv().unwrap();
        // The runtime hears of it, and the client's own task has not been told yet when the next request comes.
        tokio::task::yield_now().await;
    }
    assert_eq!(server.join().unwrap(), ["GET /0 HTTP/1.1", "GET /1 HTTP/1.1"]);
}
