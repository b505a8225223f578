//! What a closed-model user does: its journey, with waits between the steps.

use async_trait::async_trait;
use reqwest::Client;

use super::attack::UserScript;
use crate::LoadError;
use crate::phase::{Phase, PhaseWatch};
use crate::schedule::PaceDraws;
use crate::session::Session;

#[derive(Debug)]
pub(crate) struct JourneyUser {
    session: Session,
    pace: PaceDraws,
    phase: PhaseWatch,
}

impl JourneyUser {
    pub(crate) fn new(session: Session, pace: PaceDraws, phase: PhaseWatch) -> Self {
        Self { session, pace, phase }
    }
}

#[async_trait]
impl UserScript for JourneyUser {
    async fn set_up(&mut self, client: &Client) -> Result<(), LoadError> {
        self.session.set_up(client).await
    }

    async fn step(&mut self, index: usize, client: &Client) -> Result<(), LoadError> {
        if index == 0 {
            if self.session.is_locked_out() {
                self.session.set_up_again(client).await?;
            }
            self.session.begin_round();
        }
        if self.session.step(index, client).await?.is_some() {
            tokio::select! {
                () = tokio::time::sleep(self.pace.next()) => {}
                () = self.phase.reached(Phase::Stopping) => {}
            }
        }
        Ok(())
    }
}
