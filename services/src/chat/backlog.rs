//! What a member has still to be told: bounded by count and by bytes, so that one slow reader cannot take the
//! memory of all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::hub::Delivery;

/// A member that falls this many deliveries behind is let go: losing some in silence would be worse.
pub(super) const MOST_DELIVERIES: usize = 4096;
/// The same in bytes.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// There is no place for another delivery; there never will be again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Why nothing more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The member reads too slowly.
    TooSlow,
    /// The hub no longer hears what is published.
    Dark,
}

#[derive(Default)]
struct Shared {
    bytes: AtomicUsize,
    overflowed: AtomicBool,
}

/// The hub's end.
pub(super) struct Sender {
    queue: mpsc::Sender<Delivery>,
    shared: Arc<Shared>,
}

/// The member's end.
pub(super) struct Backlog {
    queue: mpsc::Receiver<Delivery>,
    shared: Arc<Shared>,
}

pub(super) fn new() -> (Sender, Backlog) {
    let (sender, receiver) = mpsc::channel(MOST_DELIVERIES);
    let shared = Arc::new(Shared::default());
    (Sender { queue: sender, shared: Arc::clone(&shared) }, Backlog { queue: receiver, shared })
}

impl Sender {
    pub(super) fn push(&self, delivery: Delivery) -> Result<(), Full> {
        let length = delivery.text().len();
        let before = self.shared.bytes.fetch_add(length, Ordering::AcqRel);
        if before + length <= MOST_BYTES && self.queue.try_send(delivery).is_ok() {
            return Ok(());
        }
        self.shared.overflowed.store(true, Ordering::Release);
        Err(Full)
    }
}

impl Backlog {
    /// The next delivery; or why there will be none. Whoever is too slow gets nothing more of what is queued.
    pub(super) async fn next(&mut self) -> Result<Delivery, Ended> {
        if self.shared.overflowed.load(Ordering::Acquire) {
            return Err(Ended::TooSlow);
        }
        match self.queue.recv().await {
            Some(delivery) => {
                self.shared.bytes.fetch_sub(delivery.text().len(), Ordering::AcqRel);
                Ok(delivery)
            }
            None if self.shared.overflowed.load(Ordering::Acquire) => Err(Ended::TooSlow),
            None => Err(Ended::Dark),
        }
    }
}

#[cfg(test)]
impl Backlog {
    /// What is there now.
    pub(super) fn try_next(&mut self) -> Option<Delivery> {
        use futures_util::FutureExt;
        self.next().now_or_never()?.ok()
    }

    /// Whether, and why, nothing more comes.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        use futures_util::FutureExt;
        self.next().now_or_never()?.err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(length: usize) -> Delivery {
        Delivery::Presence("x".repeat(length).into())
    }

    #[test]
    fn few_large_deliveries_fill_it_too() {
        let (sender, mut backlog) = new();
        for _ in 0..4 {
            assert_eq!(sender.push(bytes(MOST_BYTES / 4)), Ok(()));
        }
        assert_eq!(sender.push(bytes(1)), Err(Full));
        assert_eq!(backlog.ended(), Some(Ended::TooSlow));
    }

    #[test]
    fn what_was_read_makes_place() {
        let (sender, mut backlog) = new();
        for _ in 0..10 {
            assert_eq!(sender.push(bytes(MOST_BYTES)), Ok(()));
            assert!(backlog.try_next().is_some());
        }
    }

    #[test]
    fn what_is_queued_is_given_before_the_end() {
        let (sender, mut backlog) = new();
        sender.push(bytes(1)).expect("place");
        drop(sender);
        assert_eq!(backlog.try_next(), Some(bytes(1)));
        assert_eq!(backlog.ended(), Some(Ended::Dark));
    }
}
