//! What one set-up captured, shared by all rounds and renewed by one of them.

use std::sync::{Mutex, PoisonError};

use crate::LoadError;
use crate::session::Session;
use crate::transport::Transport;

/// The session that rounds begin with.
#[derive(Debug)]
pub(super) struct SharedSession {
    current: Mutex<Session>,
    renewing: tokio::sync::Mutex<()>,
}

impl SharedSession {
    pub(super) fn new(session: Session) -> Self {
        Self { current: Mutex::new(session), renewing: tokio::sync::Mutex::default() }
    }

    /// A copy for one round.
    pub(super) fn current(&self) -> Session {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the set-up of a round's `session` again and lets later rounds begin with it; does nothing when another
    /// round is at it, or was since this one began.
    pub(super) async fn renew(
        &self,
        mut session: Session,
        transport: &dyn Transport,
    ) -> Result<(), LoadError> {
        let Ok(_renewing) = self.renewing.try_lock() else { return Ok(()) };
        if session.set_up_at() != self.current().set_up_at() {
            return Ok(());
        }
        session.set_up_again(transport).await?;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = session;
        Ok(())
    }
}
