//! One user's way through a journey: set-up once, then rounds of steps, and set-up again when a step was not let in.
//!
//! Both models walk the same way; who calls it, how often and over which client is theirs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::LoadError;
use crate::phase::{Phase, PhaseWatch};
use crate::recorder::Recorder;
use crate::script::{Script, ScriptStep};
use crate::template::{Identifiers, Values};
use crate::transport::{Outcome, Transport};

/// Set-ups going on at the same time: many users must not be a load of their own before the load begins.
const SET_UPS_AT_ONCE: usize = 8;
/// Least time between the beginnings of two set-ups of one session.
const BETWEEN_SET_UPS: Duration = Duration::from_secs(1);
/// The status that says that what set-up captured is not accepted any more.
const UNAUTHORIZED: u16 = 401;

/// What all sessions of a load share.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) recorder: Recorder,
    pub(crate) identifiers: Identifiers,
    pub(crate) phase: PhaseWatch,
    pub(crate) set_ups: Semaphore,
}

impl Surroundings {
    pub(crate) fn new(recorder: Recorder, identifiers: Identifiers, phase: PhaseWatch) -> Self {
        Self { recorder, identifiers, phase, set_ups: Semaphore::new(SET_UPS_AT_ONCE) }
    }
}

/// How a step of a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepEnd {
    /// Answered with whatever status; the next step may follow.
    Answered,
    /// Nothing listened.
    Refused,
    /// The end was not seen.
    Unknown,
}

/// A user on its way.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    script: Arc<Script>,
    around: Arc<Surroundings>,
    /// What set-up captured; each round begins with it.
    lasting: Values,
    round: Values,
    /// A value that the rest of the round may need was not captured.
    round_is_over: bool,
    /// A step was answered 401 that does not expect it: set-up is due.
    locked_out: bool,
    /// When set-up began last.
    set_up_at: Option<Instant>,
}

impl Session {
    pub(crate) fn new(script: Arc<Script>, around: Arc<Surroundings>, load: usize, user: usize) -> Self {
        let lasting = Values { user: around.identifiers.user(load, user), ..Values::default() };
        let (round, round_is_over, locked_out, set_up_at) = (lasting.clone(), false, false, None);
        Self { script, around, lasting, round, round_is_over, locked_out, set_up_at }
    }

    /// Makes the set-up requests; each must be answered as it expects and give what it captures.
    pub(crate) async fn set_up(&mut self, transport: &dyn Transport) -> Result<(), LoadError> {
        let script = Arc::clone(&self.script);
        let around = Arc::clone(&self.around);
        let _permit = around.set_ups.acquire().await;
        self.set_up_at = Some(Instant::now());
        self.round = self.lasting.clone();
        for step in &script.setup {
            let failed = |status, why: &str| LoadError::SetUpFailed {
                journey: script.name.clone(),
                step: step.name.clone(),
                status,
                why: why.to_owned(),
            };
            if around.phase.now() >= Phase::Stopping {
                return Err(failed(None, "the load was stopped"));
            }
            match self.request(step, transport).await? {
                Outcome::Answered { status, body } => {
                    if !step.expect.contains(&status) {
                        return Err(failed(Some(status), "the step does not expect it"));
                    }
                    let missing = step.capture(&body, &mut self.lasting);
                    if let Some(pointer) = missing {
                        return Err(failed(Some(status), &format!("the answer has no value at {pointer}")));
                    }
                    self.round = self.lasting.clone();
                }
                Outcome::Refused(why) => {
                    return Err(LoadError::Refused {
                        journey: script.name.clone(),
                        step: step.name.clone(),
                        service: step.service.clone(),
                        why,
                    });
                }
                Outcome::Broken(why) => return Err(failed(None, &why)),
            }
        }
        self.locked_out = false;
        Ok(())
    }

    /// Whether a step of this session was answered 401 since its set-up, and there is a set-up that may help.
    pub(crate) fn is_locked_out(&self) -> bool {
        self.locked_out
    }

    /// When the set-up began that this session walks with.
    pub(crate) fn set_up_at(&self) -> Option<Instant> {
        self.set_up_at
    }

    /// Makes the set-up requests again, at most once a second, until they succeed or the load stops. An answer that a
    /// step does not expect, or none, is no error here: the service may be ill for a while.
    pub(crate) async fn set_up_again(&mut self, transport: &dyn Transport) -> Result<(), LoadError> {
        let around = Arc::clone(&self.around);
        while around.phase.now() < Phase::Stopping {
            let due = self.set_up_at.map_or_else(Instant::now, |last| last + BETWEEN_SET_UPS);
            tokio::select! {
                biased;
                () = around.phase.reached(Phase::Stopping) => return Ok(()),
                () = tokio::time::sleep_until(due) => {}
            }
            match self.set_up(transport).await {
                Ok(()) => return Ok(()),
                Err(error @ (LoadError::SetUpFailed { .. } | LoadError::Refused { .. })) => {
                    tracing::debug!(%error, "set-up is tried again");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Begins a round: what the last one captured is forgotten.
    pub(crate) fn begin_round(&mut self) {
        self.round = self.lasting.clone();
        self.round_is_over = false;
    }

    /// Makes the request of step `index`; none when the round is over or the load is stopping.
    pub(crate) async fn step(
        &mut self,
        index: usize,
        transport: &dyn Transport,
    ) -> Result<Option<StepEnd>, LoadError> {
        if self.round_is_over || self.around.phase.now() >= Phase::Stopping {
            return Ok(None);
        }
        let script = Arc::clone(&self.script);
        let step = &script.steps[index];
        let end = match self.request(step, transport).await? {
            Outcome::Answered { status, body } => {
                let expected = step.expect.contains(&status);
                self.locked_out |= status == UNAUTHORIZED && !expected && !script.setup.is_empty();
                let complete = expected && step.capture(&body, &mut self.round).is_none();
                self.round_is_over = !complete && step.captures();
                StepEnd::Answered
            }
            Outcome::Refused(_) => {
                self.round_is_over = step.captures();
                StepEnd::Refused
            }
            Outcome::Broken(_) => {
                self.round_is_over = step.captures();
                StepEnd::Unknown
            }
        };
        Ok(Some(end))
    }

    /// Number of steps of a round.
    pub(crate) fn steps(&self) -> usize {
        self.script.steps.len()
    }

    /// Sends one request and writes it into the ledger.
    async fn request(&self, step: &ScriptStep, transport: &dyn Transport) -> Result<Outcome, LoadError> {
        let outgoing = step.outgoing(&self.round, &self.around.identifiers).map_err(|why| {
            LoadError::InvalidStep { journey: self.script.name.clone(), step: step.name.clone(), why }
        })?;
        let open = self.around.recorder.open(step.id);
        let outcome = tokio::select! {
            outcome = tokio::time::timeout(step.timeout, transport.send(outgoing)) => outcome
                .unwrap_or_else(|_| Outcome::Broken(format!("no answer within {:?}", step.timeout))),
            () = self.around.phase.reached(Phase::Aborting) => Outcome::Broken("the load was stopped".to_owned()),
        };
        match &outcome {
            Outcome::Answered { status, .. } => open.close(*status),
            Outcome::Refused(_) => open.refused(),
            Outcome::Broken(_) => open.unknown(),
        }
        Ok(outcome)
    }
}
