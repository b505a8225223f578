//! One start of all parts, in the order in which they need each other.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;

use super::configuration::Configuration;
use super::parts::{Layout, Secrets};
use super::readiness::Readiness;
use super::teardown::Teardown;
use super::tools::Tools;
use crate::backend::{StackEvent, StackPlan};
use crate::deadline::Deadline;
use crate::failure::UpError;
use crate::undo::UndoLedger;

/// Who is told of what happens meanwhile.
pub(super) type Tell<'a> = &'a (dyn Fn(StackEvent) + Send + Sync);

/// One start of all parts: what does not change between tries.
pub(super) struct Start<'a> {
    pub(super) plan: &'a StackPlan,
    pub(super) tools: &'a Tools,
    pub(super) secrets: &'a Secrets,
    pub(super) ledger: &'a Arc<UndoLedger>,
    pub(super) readiness: &'a Readiness,
    pub(super) tell: Tell<'a>,
}

impl Start<'_> {
    pub(super) async fn start(&self, layout: Layout) -> Result<Started, UpError> {
        let configuration = Configuration::fit(self.plan, &layout)?;
        configuration.write(&layout)?;
        configuration.check(self.tools, &layout).await?;
        for change in &configuration.changes {
            (self.tell)(StackEvent::ConfigurationChanged(change.clone()));
        }
        let mut teardown = Teardown::new(Arc::clone(self.ledger));
        let deadline = Deadline::after(self.plan.start_deadline);
        match self.start_parts(&layout, &configuration, &mut teardown, deadline).await {
            Ok(()) => Ok(Started { parts: teardown, ready_after: deadline.elapsed(), layout }),
            Err(error) => {
                teardown.down().await;
                Err(error)
            }
        }
    }

    /// Redis first, and last to be stopped: the services talk to it from their first request to their last.
    async fn start_parts(
        &self,
        layout: &Layout,
        configuration: &Configuration,
        teardown: &mut Teardown,
        deadline: Deadline,
    ) -> Result<(), UpError> {
        teardown.start(vec![layout.redis(self.tools)], self.tell)?;
        let wait = |teardown: &Teardown, wave: usize| {
            let parts = teardown.wave(wave).to_vec();
            async move { self.readiness.parts(&parts, deadline, self.tell).await }
        };
        teardown.start(layout.monitoring(self.tools, self.plan.flags), self.tell)?;
        wait(teardown, 0).await?;
        teardown.start(layout.services(self.plan, self.secrets), self.tell)?;
        let (monitoring, services) = join(wait(teardown, 1), wait(teardown, 2)).await;
        monitoring.and(services)?;
        self.readiness.targets(layout, configuration, &teardown.parts(), deadline).await
    }
}

/// All parts, started and ready.
pub(super) struct Started {
    pub(super) parts: Teardown,
    pub(super) ready_after: Duration,
    /// After the parts: its ports stay locked until they are gone.
    pub(super) layout: Layout,
}
