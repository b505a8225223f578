//! A load from its start to its last request.

use std::sync::Arc;
use std::time::Duration;

use firedrill_drill::Load;
use firedrill_record::{Ledger, Route};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::LoadError;
use crate::arrivals::Arrivals;
use crate::chat::{Chat, ChatPlan};
use crate::clock::Clock;
use crate::journey::{Attack, Crew, JourneyUser};
use crate::phase::{Failures, Phase, PhaseControl};
use crate::plan::{LoadPlan, LoadProgress};
use crate::recorder::RecorderBuilder;
use crate::schedule::PaceDraws;
use crate::script::Script;
use crate::session::{Session, Surroundings};
use crate::template::Identifiers;

/// How long everything may take to end after it was told to give up; the closing handshakes of a chat take at most one
/// second of it, and goose looks for its users twice a second.
const ENDING: Duration = Duration::from_millis(1900);

/// A load that runs until it is drained. Dropping it ends it too, without waiting.
#[derive(Debug)]
pub struct RunningLoad {
    phase: PhaseControl,
    around: Arc<Surroundings>,
    failures: Failures,
    attack: Option<Attack>,
    arrivals: Vec<Arrivals>,
    chats: Vec<Chat>,
}

impl RunningLoad {
    /// Makes the set-up requests and connects chat members; returns when every load is running.
    ///
    /// Nothing is tried twice. On an error everything that was started has ended when this returns.
    pub async fn start(plan: LoadPlan) -> Result<Self, LoadError> {
        plan.check()?;
        let mut recorder = RecorderBuilder::default();
        let prepared = plan
            .loads
            .iter()
            .enumerate()
            .map(|(load, what)| Prepared::new(&plan, load, what, &mut recorder))
            .collect::<Result<Vec<_>, _>>()?;
        let (phase, watch) = PhaseControl::new();
        let identifiers = Identifiers::new(plan.unique_prefix);
        let around = Arc::new(Surroundings::new(recorder.build(Clock::start()), identifiers, watch));
        let mut running = Self {
            phase,
            around,
            failures: Failures::default(),
            attack: None,
            arrivals: Vec::new(),
            chats: Vec::new(),
        };
        match running.start_loads(prepared, plan.seed).await {
            Ok(()) => {
                running.phase.enter(Phase::Running);
                Ok(running)
            }
            Err(error) => {
                running.drain(Duration::ZERO).await;
                Err(error)
            }
        }
    }

    /// The instant that the ledger counts from.
    pub fn zero(&self) -> Timestamp {
        self.around.recorder.clock().zero()
    }

    /// Counts so far.
    pub fn progress(&self) -> LoadProgress {
        let (requests, unknown) = self.around.recorder.direct_totals();
        let messages = self.chats.iter().map(|chat| chat.totals().sent).sum();
        LoadProgress { requests, unknown, messages }
    }

    /// The first thing that broke since the load runs: a panic of a user, or an attack that goose ended. What one user
    /// does not send any more is not in the ledger, so a load that broke is not the load that was asked for.
    pub fn failure(&self) -> Option<LoadError> {
        self.failures.first()
    }

    /// A copy of what is known so far. Requests in flight are opened, and neither closed nor unknown.
    pub fn snapshot(&self) -> Ledger {
        let mut ledger = self.around.recorder.ledger();
        ledger.arrivals = self.arrivals.iter().map(Arrivals::totals).collect();
        ledger.chats = self.chats.iter().map(Chat::totals).collect();
        ledger
    }

    /// Keeps single requests from two seconds before to two seconds after this instant.
    pub fn mark_fault(&self) {
        self.around.recorder.mark_fault();
    }

    /// Stops starting requests, waits up to `grace` for what is in flight, and closes WebSockets with the closing
    /// handshake; what is still open then becomes unknown. Returns within `grace` and two seconds.
    pub async fn drain(mut self, grace: Duration) -> Ledger {
        self.phase.enter(Phase::Stopping);
        let deadline = Instant::now() + grace;
        if tokio::time::timeout_at(deadline, self.ended()).await.is_err() {
            self.phase.enter(Phase::Aborting);
            if tokio::time::timeout(ENDING, self.ended()).await.is_err() {
                tracing::error!("parts of the load did not end within {ENDING:?} and were given up");
                self.arrivals.iter().for_each(Arrivals::abort);
                self.chats.iter().for_each(Chat::abort);
            }
        }
        self.snapshot()
    }

    async fn start_loads(&mut self, prepared: Vec<Prepared>, seed: u64) -> Result<(), LoadError> {
        let around = &self.around;
        let mut crews = Vec::new();
        for (load, prepared) in prepared.into_iter().enumerate() {
            match prepared {
                Prepared::Journey { script, users, pace } => {
                    let (around, script) = (Arc::clone(around), Arc::new(script));
                    crews.push(Crew {
                        name: script.name.clone(),
                        steps: script.steps.iter().map(|step| step.name.clone()).collect(),
                        users,
                        recruit: Arc::new(move |user| {
                            let session = Session::new(Arc::clone(&script), Arc::clone(&around), load, user);
                            let draws = PaceDraws::new(pace, seed, load, user);
                            Box::new(JourneyUser::new(session, draws, around.phase.clone()))
                        }),
                    });
                }
                Prepared::Arrivals { script, rate } => {
                    let name = script.name.clone();
                    let session = Session::new(Arc::new(script), Arc::clone(around), load, 0);
                    let (phase, failures) = (around.phase.clone(), self.failures.clone());
                    self.arrivals.push(Arrivals::start(name, rate, session, phase, failures).await?);
                }
                Prepared::Chat(plan) => {
                    self.chats.push(Chat::start(plan, Arc::clone(around), self.failures.clone()).await?);
                }
            }
        }
        if !crews.is_empty() {
            let (attack, started) = Attack::start(crews, around.phase.clone(), self.failures.clone()).await;
            self.attack = Some(attack);
            started?;
        }
        Ok(())
    }

    /// Returns when nothing of the load is left.
    async fn ended(&mut self) {
        for arrivals in &mut self.arrivals {
            if let Err(error) = arrivals.ended().await {
                tracing::error!(%error, "an open-model load ended badly");
            }
        }
        for chat in &mut self.chats {
            if let Err(error) = chat.ended().await {
                tracing::error!(%error, "a chat load ended badly");
            }
        }
        if let Some(attack) = &mut self.attack {
            attack.ended().await;
        }
    }
}

/// A load with its routes resolved.
enum Prepared {
    Journey { script: Script, users: usize, pace: firedrill_drill::Pace },
    Arrivals { script: Script, rate: firedrill_drill::Rate },
    Chat(ChatPlan),
}

impl Prepared {
    fn new(
        plan: &LoadPlan,
        load: usize,
        what: &Load,
        recorder: &mut RecorderBuilder,
    ) -> Result<Self, LoadError> {
        Ok(match what {
            Load::Journey { journey, users } => Self::Journey {
                script: Script::new(journey, &plan.targets, recorder)?,
                users: *users as usize,
                pace: journey.pace,
            },
            Load::Arrivals { journey, rate } => {
                Self::Arrivals { script: Script::new(journey, &plan.targets, recorder)?, rate: *rate }
            }
            Load::Chat { rooms, members, messages } => {
                let service = plan.chat_service.clone();
                let address = *plan
                    .targets
                    .get(&service)
                    .ok_or_else(|| LoadError::NoAddress { service: service.clone() })?;
                let route = Route {
                    service: service.clone(),
                    method: "GET".to_owned(),
                    route: "/rooms/{room}/ws".to_owned(),
                };
                let step = recorder.step(&route, &[]);
                let (rooms, members) = (*rooms as usize, *members as usize);
                Self::Chat(ChatPlan {
                    load,
                    service,
                    address,
                    rooms,
                    members,
                    rate: *messages,
                    step,
                    seed: plan.seed,
                })
            }
        })
    }
}
