//! Chat over WebSockets: members join rooms, speak in turn at a constant rate over all rooms, and hear each other.
//!
//! Connections are made once: a member whose connection ends is gone for the rest of the load, and its room expects
//! one delivery less of each later message.

mod deliveries;
mod member;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use firedrill_drill::Rate;
use firedrill_record::{ChatTotals, ServiceName};
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::LoadError;
use crate::error::panic_message;
use crate::phase::{Failures, Phase, PhaseWatch};
use crate::recorder::StepId;
use crate::schedule::{intended_start, speaker};
use crate::session::Surroundings;
use deliveries::Deliveries;
pub(crate) use member::Seat;

/// Members joining at the same time.
const JOINING_AT_ONCE: usize = 32;
/// Turns a member may be behind before it misses one.
const TURNS_BEHIND: usize = 64;
/// Longest wait for the closing handshakes of all members.
const CLOSING: Duration = Duration::from_secs(1);

/// What a chat load is.
#[derive(Debug, Clone)]
pub(crate) struct ChatPlan {
    pub(crate) load: usize,
    pub(crate) service: ServiceName,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) rooms: usize,
    pub(crate) members: usize,
    pub(crate) rate: Rate,
    pub(crate) step: StepId,
}

/// One chat load, running since its phase says so.
#[derive(Debug)]
pub(crate) struct Chat {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What the members of a chat load share.
#[derive(Debug)]
pub(crate) struct Shared {
    plan: ChatPlan,
    id_prefix: String,
    deliveries: Mutex<Deliveries>,
    complete: Notify,
    began: OnceLock<Instant>,
    stopped: OnceLock<Instant>,
    closed_cleanly: AtomicU64,
}

impl Chat {
    /// Lets every member join; the first message waits for its phase.
    pub(crate) async fn start(
        plan: ChatPlan,
        around: Arc<Surroundings>,
        failures: Failures,
    ) -> Result<Self, LoadError> {
        let prefix = around.identifiers.prefix();
        let seats = (0..plan.rooms).flat_map(|room| (0..plan.members).map(move |member| (room, member)));
        let connections: Vec<_> = futures_util::stream::iter(seats.map(|(room, member)| {
            let seat = Seat {
                service: plan.service.clone(),
                address: plan.address,
                room: format!("{prefix}-r{}-{room}", plan.load),
                name: format!("{prefix}-m{}-{room}-{member}", plan.load),
            };
            seat.join(&around.recorder, plan.step)
        }))
        .buffered(JOINING_AT_ONCE)
        .try_collect()
        .await?;
        let shared = Arc::new(Shared {
            id_prefix: format!("{prefix}-c{}-", plan.load),
            deliveries: Mutex::new(Deliveries::new(plan.rooms, plan.members)),
            complete: Notify::new(),
            began: OnceLock::new(),
            stopped: OnceLock::new(),
            closed_cleanly: AtomicU64::new(0),
            plan,
        });
        let mut members = JoinSet::new();
        let mut turns = Vec::with_capacity(connections.len());
        for (seat, connection) in connections.into_iter().enumerate() {
            let (room, member) = (seat / shared.plan.members, seat % shared.plan.members);
            let (sink, stream) = connection.split();
            let (turn, my_turns) = mpsc::channel(TURNS_BEHIND);
            turns.push(turn);
            members.spawn(member::speak(sink, room, my_turns, Arc::clone(&shared)));
            members.spawn(member::listen(stream, room, member, Arc::clone(&shared)));
        }
        let task = conduct(Arc::clone(&shared), turns, members, around.phase.clone(), failures);
        Ok(Self { shared, task: tokio::spawn(task) })
    }

    pub(crate) fn totals(&self) -> ChatTotals {
        self.shared.totals()
    }

    /// Returns when every connection has ended.
    pub(crate) async fn ended(&mut self) -> Result<(), JoinError> {
        if self.task.is_finished() { Ok(()) } else { (&mut self.task).await }
    }

    /// Gives up on the connections.
    pub(crate) fn abort(&self) {
        self.task.abort();
    }
}

impl Shared {
    fn deliveries(&self) -> MutexGuard<'_, Deliveries> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_whether_complete(&self) {
        if self.deliveries().outstanding() == 0 {
            self.complete.notify_one();
        }
    }

    fn message_id(&self, room: usize, number: u64) -> String {
        format!("{}{room}-{number}", self.id_prefix)
    }

    /// Room and number of one of this load's own messages.
    fn number_of(&self, id: &str) -> Option<(usize, u64)> {
        let (room, number) = id.strip_prefix(&self.id_prefix)?.split_once('-')?;
        Some((room.parse().ok()?, number.parse().ok()?))
    }

    fn totals(&self) -> ChatTotals {
        let seconds = self.began.get().map_or(Duration::ZERO, |began| {
            self.stopped.get().copied().unwrap_or_else(Instant::now).saturating_duration_since(*began)
        });
        let deliveries = self.deliveries();
        ChatTotals {
            service: self.plan.service.clone(),
            seconds: seconds.as_secs_f64(),
            rate: self.plan.rate.per_second(),
            connections: (self.plan.rooms * self.plan.members) as u64,
            closed_cleanly: self.closed_cleanly.load(Ordering::Relaxed),
            sent: deliveries.sent,
            expected_deliveries: deliveries.expected,
            delivered: deliveries.delivered,
            lost: deliveries.lost,
            duplicated: deliveries.duplicated,
            latency: deliveries.latency.clone(),
        }
    }
}

/// Gives turns at the rate; in the end waits for what was said to be heard, and for the connections to close.
async fn conduct(
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
        // The next member who is still there and not too far behind speaks.
        (0..shared.plan.members)
            .map(|more| room * shared.plan.members + (first + more) % shared.plan.members)
            .any(|seat| turns[seat].try_send(()).is_ok());
    }
    shared.stopped.get_or_init(Instant::now);
    shared.deliveries().stop();
    tokio::select! {
        () = phase.reached(Phase::Aborting) => {}
        () = everything_heard(&shared) => {}
    }
    shared.deliveries().give_up();
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
}

async fn everything_heard(shared: &Shared) {
    while shared.deliveries().outstanding() > 0 {
        shared.complete.notified().await;
    }
}
