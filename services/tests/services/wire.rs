//! Bytes to and from a service, for what an HTTP client would not send or would hide.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than any deadline of a service.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    unread: Vec<u8>,
}

/// The head of an answer, and the body that its `content-length` announces.
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.expect("it listens"), unread: Vec::new() }
    }

    /// Whether all could be written: a service may have closed on what it has seen.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    pub(crate) async fn ask(&mut self, request: &str) -> RawAnswer {
        assert!(self.send(request).await, "the connection is open");
        self.answer().await.expect("an answer")
    }

    /// None when the connection ended before there was a head.
    pub(crate) async fn answer(&mut self) -> Option<RawAnswer> {
        let end = loop {
            match self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.more().await?,
            }
        };
        let head = String::from_utf8_lossy(&self.unread[..end]).to_ascii_lowercase();
        self.unread.drain(..end);
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        let length: usize = length.unwrap_or(0);
        while self.unread.len() < length && self.more().await.is_some() {}
        let body = self.unread.drain(..length.min(self.unread.len())).collect();
        Some(RawAnswer { status, head, body })
    }

    /// The next byte of the connection that is not part of an answer; `None` at its end.
    pub(crate) async fn byte(&mut self) -> Option<u8> {
        if self.unread.is_empty() {
            self.more().await?;
        }
        Some(self.unread.remove(0))
    }

    /// Reads on until the service has ended the connection.
    pub(crate) async fn ended(&mut self) {
        while self.more().await.is_some() {}
    }

    async fn more(&mut self) -> Option<()> {
        let mut buffer = vec![0; 16 * 1024];
        let reading = tokio::time::timeout(LONGEST_WAIT, self.stream.read(&mut buffer)).await;
        match reading.expect("the service answers or closes in time") {
            Ok(read @ 1..) => {
                self.unread.extend_from_slice(&buffer[..read]);
                Some(())
            }
            Ok(0) | Err(_) => None,
        }
    }
}
