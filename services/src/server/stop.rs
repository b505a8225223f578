//! Telling everything that lives long that the service stops.

use tokio::sync::watch;

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

    pub(super) fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Another holder.
    pub(super) fn stopping(&self) -> Stopping {
        Stopping { signal: self.0.subscribe() }
    }

    /// Completes when there is no holder any more.
    pub(super) async fn nobody_left(&self) {
        self.0.closed().await;
    }
}
