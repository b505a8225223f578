//! A server that breaks connections instead of answering.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use firedrill_drill::Load;
use firedrill_loadgen::{LoadPlan, RunningLoad};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::journeys::{ONE_ATTACK, arrivals, journey, step, users};
use super::target::{row, service, until};

/// Answers all requests of a connection but the third, at which it hangs up; counts requests seen whole and answered.
async fn start(seen: Arc<AtomicU64>, answered: Arc<AtomicU64>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, Arc::clone(&seen), Arc::clone(&answered)));
        }
    });
    address
}

async fn answer(stream: TcpStream, seen: Arc<AtomicU64>, answered: Arc<AtomicU64>) {
    let mut stream = BufReader::new(stream);
    for number in 1.. {
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
        }
        seen.fetch_add(1, Ordering::Relaxed);
        if number == 3 {
            return;
        }
        answered.fetch_add(1, Ordering::Relaxed);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    }
}

#[tokio::test]
async fn a_connection_broken_instead_of_an_answer_is_unknown_and_nothing_is_sent_twice() {
    let _turn = ONE_ATTACK.lock().await;
    let read = journey("reads", vec![], vec![step("GET", "/r", "/r")]);
    let loads: [Load; 2] = [users(2, read.clone()), arrivals("200/s", read)];
    for what in loads {
        let (seen, answered) = (Arc::default(), Arc::default());
        let address = start(Arc::clone(&seen), Arc::clone(&answered)).await;
        let plan = LoadPlan {
            loads: vec![what],
            targets: [(service("user"), address)].into(),
            chat_service: service("chat"),
            seed: 1,
            unique_prefix: "t".to_owned(),
        };
        let load = RunningLoad::start(plan).await.unwrap();
        until("connections broke", &load, |ledger| row(ledger, "/r").unknown > 20).await;
        let ledger = load.drain(Duration::from_secs(5)).await;
        let read = row(&ledger, "/r");
        assert_eq!(read.opened, seen.load(Ordering::Relaxed));
        assert_eq!(read.closed_total(), answered.load(Ordering::Relaxed));
        assert_eq!(read.opened, read.closed_total() + read.unknown);
    }
}
