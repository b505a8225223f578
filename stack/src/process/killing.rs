//! What is done to a running stack from outside: a part is killed and started again as it was, processors of the host
//! are kept busy.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::burner::Burner;
use super::part::Part;
use super::readiness::Readiness;
use crate::deadline::Deadline;
use crate::failure::FaultError;
use crate::faults::{Burning, Killing};

/// The parts of a stack that is up.
pub(super) struct RunningParts<'a> {
    pub(super) parts: Vec<Arc<Part>>,
    pub(super) readiness: &'a Readiness,
    /// How long a part may take to be ready.
    pub(super) ready_within: Duration,
    /// What keeps processors of the host busy.
    pub(super) burner: &'a Burner,
}

impl RunningParts<'_> {
    fn part(&self, name: &str) -> Result<&Arc<Part>, FaultError> {
        let found = self.parts.iter().find(|part| part.plan.name == name);
        found.ok_or_else(|| FaultError::NoSuchPart { part: name.to_owned() })
    }
}

#[async_trait]
impl Killing for RunningParts<'_> {
    fn check(&self, part: &str) -> Result<(), FaultError> {
        match self.part(part)?.ended() {
            Some(how) => Err(FaultError::EndedBefore { part: part.to_owned(), how }),
            None => Ok(()),
        }
    }

    async fn kill(&self, part: &str) -> Result<String, FaultError> {
        let pid = self.part(part)?.kill().await?;
        Ok(format!("{part} (process {pid}) ended by signal 9"))
    }

    async fn start_again(&self, part: &str) -> Result<String, FaultError> {
        let back = async |part: &Arc<Part>| {
            part.start_again()?;
            let deadline = Deadline::after(self.ready_within);
            self.readiness.parts(std::slice::from_ref(part), deadline, &|_| {}).await
        };
        let found = self.part(part)?;
        match back(found).await {
            Ok(()) => Ok(format!("{part} runs again as process {}", found.pid())),
            Err(source) => Err(FaultError::NotBack { part: part.to_owned(), source }),
        }
    }
}

#[async_trait]
impl Burning for RunningParts<'_> {
    fn check(&self, processors: Option<u32>, lasts: Duration) -> Result<(), FaultError> {
        self.burner.check(processors, lasts)
    }

    async fn burn(&self, processors: Option<u32>, lasts: Duration) -> Result<String, FaultError> {
        self.burner.burn(processors, lasts).await
    }

    async fn put_out(&self) -> Result<Option<String>, FaultError> {
        self.burner.put_out().await
    }
}
