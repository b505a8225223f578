//! A WebSocket through the gateway: after the upgrade, bytes are copied both ways and nobody looks at them.
//!
//! An end that closes, breaks, or reads nothing for long ends the other too. A connection on which nothing
//! happens is kept: whether somebody is still there, the chat service asks with its pings.

use std::io;
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::time::timeout;

use crate::server::Stopping;

/// From the upstream's 101 until the client has been given it.
const LONGEST_UPGRADE: Duration = Duration::from_secs(10);
/// How long one direction may go on after the other has ended.
const LINGER: Duration = Duration::from_secs(10);
/// How long one piece may wait for an end that does not read; all the while the other end is not read either.
const LONGEST_STALL: Duration = Duration::from_secs(30);
const PIECE_BYTES: usize = 8 * 1024;
/// How long the last bytes may take when the gateway stops.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Keeps the two ends together until both have closed, one has broken, or the gateway stops; the server
/// waits for it through `stopping`.
pub(super) async fn keep(client: OnUpgrade, upstream: OnUpgrade, mut stopping: Stopping) {
    let upgraded = timeout(LONGEST_UPGRADE, async { tokio::try_join!(client, upstream) }).await;
    let Ok(Ok((client, upstream))) = upgraded else {
        tracing::debug!("a websocket was not opened after all");
        return;
    };
    let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
    tokio::select! {
        result = pass_both_ways(&mut client, &mut upstream) => {
            if let Err(error) = result {
                tracing::debug!(%error, "a websocket broke off");
            }
        }
        () = stopping.begun() => {
            let last_word = async { tokio::join!(client.shutdown(), upstream.shutdown()) };
            if timeout(LAST_WORD, last_word).await.is_err() {
                tracing::debug!("a websocket was cut off");
            }
        }
    }
}

async fn pass_both_ways(client: &mut TokioIo<Upgraded>, upstream: &mut TokioIo<Upgraded>) -> io::Result<()> {
    let ((from_client, to_client), (from_upstream, to_upstream)) = (split(client), split(upstream));
    let mut there = std::pin::pin!(pass(from_client, to_upstream));
    let mut back = std::pin::pin!(pass(from_upstream, to_client));
    // An end that says no more is told so across; the other may still finish what it has to say.
    let last = tokio::select! {
        result = &mut there => { result?; timeout(LINGER, back).await }
        result = &mut back => { result?; timeout(LINGER, there).await }
    };
    last?
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        timeout(LONGEST_STALL, to.write_all(&piece[..read])).await??;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_end_that_reads_nothing_is_given_up() {
        let (mut sender, from) = duplex(PIECE_BYTES);
        let (to, mut reader) = duplex(16);
        let passing = tokio::spawn(pass(from, to));
        sender.write_all(&[7; 32]).await.expect("taken");
        let mut received = [0; 16];
        reader.read_exact(&mut received).await.expect("passed on");
        assert_eq!(received, [7; 16]);
        sender.write_all(&[7; 32]).await.expect("taken");
        let error = passing.await.expect("no panic").expect_err("nobody reads the rest");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
