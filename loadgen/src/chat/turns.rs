//! Giving turns to the members at the rate, and the end of the load.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::load::Shared;
use crate::LoadError;
use crate::error::panic_message;
use crate::phase::{Failures, Phase, PhaseWatch};
use crate::schedule::{intended_start, speaker};

/// Longest wait for the closing handshakes of all members.
const CLOSING: Duration = Duration::from_secs(1);

/// Gives turns at the rate; in the end waits for what was said to be heard, and for the connections to close.
pub(super) async fn conduct(
    shared: Arc<Shared>,
    turns: Vec<mpsc::Sender<()>>,
    mut members: JoinSet<()>,
    phase: PhaseWatch,
    failures: Failures,
) {
    phase.reached(Phase::Running).await;
    let began = *shared.began.get_or_init(Instant::now);
    for index in 0.. {
        tokio::select! {
            biased;
            () = phase.reached(Phase::Stopping) => break,
            () = tokio::time::sleep_until(began + intended_start(index, shared.plan.rate)) => {}
        }
        let (room, first) = speaker(index, shared.plan.rooms, shared.plan.members);
        // The next member who is connected and not too far behind speaks.
        (0..shared.plan.members).map(|more| (first + more) % shared.plan.members).any(|member| {
            shared.deliveries().is_here(room, member)
                && turns[room * shared.plan.members + member].try_send(()).is_ok()
        });
    }
    shared.stopped.get_or_init(Instant::now);
    shared.deliveries().stop();
    tokio::select! {
        () = phase.reached(Phase::Aborting) => {}
        () = everything_heard(&shared) => {}
    }
    drop(turns);
    let closing = async {
        while let Some(ended) = members.join_next().await {
            if let Some(panic) = ended.err().and_then(|error| error.try_into_panic().ok()) {
                let why = panic_message(&*panic);
                failures.report(LoadError::Panicked { load: "a chat member".to_owned(), why });
            }
        }
    };
    // Who does not answer the closing handshake in time is left; dropping the set ends its tasks.
    let _ = tokio::time::timeout(CLOSING, closing).await;
    members.shutdown().await;
    shared.deliveries().settle();
}

async fn everything_heard(shared: &Shared) {
    while !shared.deliveries().is_complete() {
        shared.complete.notified().await;
    }
}
