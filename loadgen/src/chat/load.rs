//! The load as its owner holds it: joining, counting, ending.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use firedrill_drill::Rate;
use firedrill_record::{ChatTotals, ServiceName};
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::deliveries::Deliveries;
use super::joining::{NotJoined, Seat};
use super::member::Member;
use super::turns::conduct;
use crate::LoadError;
use crate::phase::Failures;
use crate::recorder::StepId;
use crate::session::Surroundings;

/// Members joining at the same time.
const JOINING_AT_ONCE: usize = 32;
/// Turns a member may be behind before it misses one.
const TURNS_BEHIND: usize = 64;

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
    /// What the members' waits before reconnecting are drawn from.
    pub(crate) seed: u64,
}

impl ChatPlan {
    /// Members of all rooms.
    pub(super) fn seats(&self) -> usize {
        self.rooms * self.members
    }
}

/// One chat load, running since its phase says so.
#[derive(Debug)]
pub(crate) struct Chat {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What the members of a chat load share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: ChatPlan,
    id_prefix: String,
    deliveries: Mutex<Deliveries>,
    pub(super) complete: Notify,
    pub(super) began: OnceLock<Instant>,
    pub(super) stopped: OnceLock<Instant>,
    pub(super) connections: AtomicU64,
    pub(super) closed_cleanly: AtomicU64,
}

impl Chat {
    /// Lets every member join; the first message waits for its phase.
    pub(crate) async fn start(
        plan: ChatPlan,
        around: Arc<Surroundings>,
        failures: Failures,
    ) -> Result<Self, LoadError> {
        let prefix = around.identifiers.prefix();
        let shared = Arc::new(Shared {
            id_prefix: format!("{prefix}-c{}-", plan.load),
            deliveries: Mutex::new(Deliveries::new(plan.rooms, plan.members, Instant::now())),
            complete: Notify::new(),
            began: OnceLock::new(),
            stopped: OnceLock::new(),
            connections: AtomicU64::new(0),
            closed_cleanly: AtomicU64::new(0),
            plan,
        });
        let plan = &shared.plan;
        let joins = (0..plan.seats()).map(|seat| {
            let (room, number) = (seat / plan.members, seat % plan.members);
            let seat = Seat {
                room: format!("{prefix}-r{}-{room}", plan.load),
                name: format!("{prefix}-m{}-{room}-{number}", plan.load),
            };
            let (shared, recorder) = (&shared, &around.recorder);
            async move {
                match seat.join(shared, recorder, None).await {
                    Ok(joined) => Ok((seat, joined)),
                    Err(NotJoined { status, why }) => Err(LoadError::MemberCouldNotJoin {
                        service: shared.plan.service.clone(),
                        room: seat.room,
                        member: seat.name,
                        status,
                        why,
                    }),
                }
            }
        });
        let joined: Vec<_> =
            futures_util::stream::iter(joins).buffered(JOINING_AT_ONCE).try_collect().await?;
        let mut members = JoinSet::new();
        let mut turns = Vec::with_capacity(joined.len());
        for (index, (seat, joined)) in joined.into_iter().enumerate() {
            let (turn, my_turns) = mpsc::channel(TURNS_BEHIND);
            turns.push(turn);
            let member = Member {
                shared: Arc::clone(&shared),
                around: Arc::clone(&around),
                seat,
                room: index / plan.members,
                number: index % plan.members,
                turns: my_turns,
                backoff: Backoff::new(plan.seed, plan.load, index),
            };
            members.spawn(member.attend(joined));
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
        self.shared.deliveries().settle();
    }
}

impl Shared {
    pub(super) fn deliveries(&self) -> MutexGuard<'_, Deliveries> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn look_whether_complete(&self) {
        if self.deliveries().is_complete() {
            self.complete.notify_one();
        }
    }

    pub(super) fn message_id(&self, room: usize, number: u64) -> String {
        format!("{}{room}-{number}", self.id_prefix)
    }

    /// Room and number of one of this load's own messages.
    pub(super) fn number_of(&self, id: &str) -> Option<(usize, u64)> {
        let (room, number) = id.strip_prefix(&self.id_prefix)?.split_once('-')?;
        Some((room.parse().ok()?, number.parse().ok()?))
    }

    fn totals(&self) -> ChatTotals {
        let seconds = self.began.get().map_or(Duration::ZERO, |began| {
            self.stopped.get().copied().unwrap_or_else(Instant::now).saturating_duration_since(*began)
        });
        let connections = self.connections.load(Ordering::Relaxed);
        let deliveries = self.deliveries();
        let totals = &deliveries.totals;
        ChatTotals {
            service: self.plan.service.clone(),
            seconds: seconds.as_secs_f64(),
            rate: self.plan.rate.per_second(),
            connections,
            closed_cleanly: self.closed_cleanly.load(Ordering::Relaxed),
            // A load in which a member's first connection failed did not start.
            reconnected: connections.saturating_sub(self.plan.seats() as u64),
            sent: totals.sent,
            unknown: totals.unknown,
            expected_deliveries: totals.expected,
            delivered: totals.delivered,
            lost: totals.lost,
            duplicated: totals.duplicated,
            latency: totals.latency.clone(),
        }
    }
}
