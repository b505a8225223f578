//! Waiting for the end of a fault.

use tokio::sync::watch;

/// Held by a fault; whoever waits for it goes on when it is dropped.
pub(super) struct Release(watch::Sender<()>);

impl Release {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    pub(super) fn awaited(&self) -> Released {
        Released(self.0.subscribe())
    }
}

/// The waiting side.
pub(super) struct Released(watch::Receiver<()>);

impl Released {
    /// Completes when the fault has ended. Cancelled, it can be called again.
    pub(super) async fn wait(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}
