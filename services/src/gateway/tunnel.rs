//! A WebSocket through the gateway: after the upgrade, bytes are copied both ways and nobody reads them.

use std::io;
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::time::timeout;

use crate::server::Stopping;

/// From the upstream's 101 until the client has been given it.
const LONGEST_UPGRADE: Duration = Duration::from_secs(10);
/// How long one direction may go on after the other has ended.
const LINGER: Duration = Duration::from_secs(10);
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
    last.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    copy(&mut from, &mut to).await?;
    to.shutdown().await
}
