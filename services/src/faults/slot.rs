//! The place of one kind of fault: what is in force, and its lease.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// Holds at most one fault of a kind.
pub(super) struct Slot<F> {
    held: Arc<Mutex<Option<Held<F>>>>,
    /// Whether there may be a fault: spares the requests of a healthy service the lock.
    occupied: AtomicBool,
}

struct Held<F> {
    /// The order, as it was given.
    order: Value,
    /// Dropping it ends the fault. None when the switch is inert.
    fault: Option<F>,
    ends: Instant,
    /// Requests that it has touched.
    injected: u64,
    lease: AbortHandle,
}

impl<F> Drop for Held<F> {
    fn drop(&mut self) {
        self.lease.abort();
    }
}

impl<F> Default for Slot<F> {
    fn default() -> Self {
        Self { held: Arc::default(), occupied: AtomicBool::new(false) }
    }
}

impl<F: Send + 'static> Slot<F> {
    /// Puts a fault in force in place of what was there, until its lease ends.
    pub(super) fn put(&self, order: &impl Serialize, fault: Option<F>, lease: Duration) {
        let ends = Instant::now() + lease;
        // Weak: a service that is gone has no faults.
        let slot = Arc::downgrade(&self.held);
        let ending = tokio::spawn(async move {
            tokio::time::sleep_until(ends).await;
            if let Some(slot) = slot.upgrade() {
                let ended = lock(&slot).take_if(|held| held.ends <= Instant::now());
                drop(ended);
            }
        });
        let order = serde_json::to_value(order).unwrap_or_default();
        let held = Held { order, fault, ends, injected: 0, lease: ending.abort_handle() };
        let replaced = lock(&self.held).replace(held);
        self.occupied.store(true, Ordering::Relaxed);
        drop(replaced);
    }

    /// Ends what is in force.
    pub(super) fn end(&self) {
        self.occupied.store(false, Ordering::Relaxed);
        let ended = lock(&self.held).take();
        // Outside the lock: ending may take a moment.
        drop(ended);
    }

    /// Asks the fault in force what it does to a request; counted when it does something.
    pub(super) fn strike<R>(&self, decide: impl FnOnce(&mut F) -> Option<R>) -> Option<R> {
        if !self.occupied.load(Ordering::Relaxed) {
            return None;
        }
        let mut held = lock(&self.held);
        let held = held.as_mut().filter(|held| held.ends > Instant::now())?;
        let decided = decide(held.fault.as_mut()?)?;
        held.injected += 1;
        Some(decided)
    }

    /// The order in force, with what remains of its lease and how many requests it has touched.
    pub(super) fn state(&self) -> Option<Value> {
        let held = lock(&self.held);
        let held = held.as_ref()?;
        let remaining = held.ends.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return None;
        }
        let mut state = held.order.clone();
        state["lease_remaining_ms"] = json!(u64::try_from(remaining.as_micros().div_ceil(1000)).ok());
        state["injected"] = json!(held.injected);
        Some(state)
    }
}

fn lock<F>(held: &Mutex<Option<Held<F>>>) -> MutexGuard<'_, Option<Held<F>>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells when it is dropped.
    struct Tell(Arc<AtomicBool>);

    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_ends_with_its_lease_and_not_before() {
        let (slot, ended) = (Slot::default(), Arc::new(AtomicBool::new(false)));
        slot.put(&json!({ "a": 1 }), Some(Tell(Arc::clone(&ended))), Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(9_999)).await;
        assert_eq!(slot.strike(|_| Some(7)), Some(7));
        let state = slot.state();
        assert_eq!(state, Some(json!({ "a": 1, "lease_remaining_ms": 1, "injected": 1 })));
        assert!(!ended.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!((slot.strike(|_| Some(7)), slot.state()), (None, None));
        assert!(ended.load(Ordering::Relaxed));
    }

    #[tokio::test(start_paused = true)]
    async fn the_lease_of_a_replaced_fault_does_not_end_its_successor() {
        let (slot, ended) = (Slot::default(), Arc::new(AtomicBool::new(false)));
        slot.put(&json!({}), Some(Tell(Arc::clone(&ended))), Duration::from_secs(1));
        slot.put(&json!({}), Some(Tell(Arc::default())), Duration::from_secs(5));
        assert!(ended.load(Ordering::Relaxed), "the first has ended");
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(slot.strike(|_| Some(())), Some(()));
        slot.end();
        assert_eq!(slot.strike(|_| Some(())), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_inert_fault_is_shown_and_strikes_nothing() {
        let slot = Slot::<()>::default();
        slot.put(&json!({}), None, Duration::from_secs(1));
        assert!(slot.state().is_some());
        assert_eq!(slot.strike(|()| Some(())), None);
    }
}
