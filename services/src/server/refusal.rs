//! The order to refuse connections, on its way from whoever gives it to the loop that accepts them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::connection::ConnectionId;

/// Closing a listening socket takes microseconds; the loop that does it may be busy for a while.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Order {
    number: u64,
    /// The connection that stays open.
    except: ConnectionId,
}

/// Makes the two ends: the switch, and what the server obeys.
pub(crate) fn refusal() -> (RefusalSwitch, Refusal) {
    let (orders, wanted) = watch::channel(None);
    let (report, in_force) = watch::channel(None);
    let switch = RefusalSwitch { orders: Arc::new(orders), in_force, next: Arc::default() };
    (switch, Refusal { wanted, report })
}

/// Lets a service refuse connections.
#[derive(Debug, Clone)]
pub(crate) struct RefusalSwitch {
    orders: Arc<watch::Sender<Option<Order>>>,
    in_force: watch::Receiver<Option<u64>>,
    next: Arc<AtomicU64>,
}

impl RefusalSwitch {
    /// Refuses until the result is dropped; it replaces an earlier refusal. `None` when the server did not
    /// stop listening in time.
    pub(crate) async fn begin(&self, except: ConnectionId) -> Option<Refusing> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let refusing = Refusing { orders: Arc::clone(&self.orders), number };
        self.orders.send_replace(Some(Order { number, except }));
        let mut in_force = self.in_force.clone();
        let obeyed = in_force.wait_for(|obeyed| *obeyed == Some(number));
        match tokio::time::timeout(LONGEST_WAIT, obeyed).await {
            Ok(Ok(_)) => Some(refusing),
            Ok(Err(_)) | Err(_) => None,
        }
    }
}

/// A refusal in force. Dropping it ends it, unless another has replaced it.
#[derive(Debug)]
pub(crate) struct Refusing {
    orders: Arc<watch::Sender<Option<Order>>>,
    number: u64,
}

impl Drop for Refusing {
    fn drop(&mut self) {
        self.orders.send_if_modified(|order| {
            let current = order.is_some_and(|order| order.number == self.number);
            if current {
                *order = None;
            }
            current
        });
    }
}

/// The server's end.
#[derive(Debug)]
pub(crate) struct Refusal {
    wanted: watch::Receiver<Option<Order>>,
    report: watch::Sender<Option<u64>>,
}

/// What the server is to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Listen,
    /// Stop listening and close all connections but one, then say so with the number.
    Refuse {
        except: ConnectionId,
        number: u64,
    },
}

impl Refusal {
    /// The next change of mind; never when nobody can give orders.
    pub(super) async fn changed(&mut self) -> Wanted {
        if self.wanted.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        match *self.wanted.borrow_and_update() {
            None => Wanted::Listen,
            Some(Order { number, except }) => Wanted::Refuse { except, number },
        }
    }

    pub(super) fn obeyed(&self, number: u64) {
        self.report.send_replace(Some(number));
    }
}
