//! Serving until told to stop, then finishing what is in flight within a bound.

use std::io;
use std::time::Duration;

use axum::ServiceExt;
use axum::extract::Request;
use axum::serve::ListenerExt;
use metrics_plugin::{BuildError, MetricsService};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long requests in flight and open sockets may take to end after the shutdown began.
const GRACE: Duration = Duration::from_secs(5);

/// Why a service could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The Redis client refused the URL.
    #[error("failed to set up redis")]
    Redis(#[source] redis::RedisError),
    /// The hash function refused its parameters.
    #[error("failed to set up password hashing")]
    PasswordHashing,
    /// The routes and the metrics disagree.
    #[error("failed to set up metrics")]
    Metrics(#[source] BuildError),
    /// The listener failed.
    #[error("failed to serve")]
    Listener(#[source] io::Error),
}

/// Tells long-lived connections that the service stops, and knows when the last of them has ended.
#[derive(Debug, Clone)]
pub(crate) struct Stopping {
    // Each holder is a receiver: the sender sees when the last one is gone.
    signal: watch::Receiver<bool>,
}

impl Stopping {
    pub(crate) async fn begun(&mut self) {
        // An error means that the server is gone, which is a stop as well.
        let _ = self.signal.wait_for(|stopping| *stopping).await;
    }
}

/// The server's side of [`Stopping`].
#[derive(Debug)]
pub(crate) struct Stop(watch::Sender<bool>);

impl Stop {
    pub(crate) fn new() -> (Self, Stopping) {
        let (sender, signal) = watch::channel(false);
        (Self(sender), Stopping { signal })
    }
}

/// Serves until `shutdown`: then accepts nothing more, and returns when all is finished, after 5 s at most.
pub(crate) async fn serve(
    listener: TcpListener,
    name: &str,
    service: MetricsService<axum::Router>,
    stop: Stop,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let address = listener.local_addr().map_err(ServeError::Listener)?;
    tracing::info!(service = name, %address, "listening");
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    });
    let mut stopping = Stopping { signal: stop.0.subscribe() };
    let server = axum::serve(listener, ServiceExt::<Request>::into_make_service(service))
        .with_graceful_shutdown(async move { stopping.begun().await });
    let mut server = std::pin::pin!(server.into_future());
    tokio::select! {
        ended = &mut server => return ended.map_err(ServeError::Listener),
        () = shutdown => {}
    }
    tracing::info!(service = name, "stopping");
    stop.0.send_replace(true);
    let finished = tokio::time::timeout(GRACE, async {
        let ended = server.await;
        stop.0.closed().await;
        ended
    });
    if let Ok(ended) = finished.await {
        ended.map_err(ServeError::Listener)?;
    } else {
        tracing::warn!(service = name, "what was still in flight was cut off");
    }
    tracing::info!(service = name, "stopped");
    Ok(())
}
