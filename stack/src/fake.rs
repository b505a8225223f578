//! A backend without processes, for tests of what drives a stack: it notes what it is asked and does nothing.
//!
//! Its addresses are given, so that a test can put servers of its own behind them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use firedrill_drill::Fault;
use firedrill_record::{Secret, StackRecord};
use jiff::Timestamp;

use crate::backend::{
    Addresses, Backend, DownReport, InjectedFault, LostPart, Stack, StackEvent, StackPlan, Undone,
};
use crate::failure::{FaultError, UpError};
use crate::run_folder::RunFolder;

/// What a fake was asked to do.
#[derive(Debug, Clone, PartialEq)]
pub enum FakeCall {
    /// To bring a stack up with this configuration.
    Up(String),
    /// To inject a fault.
    Inject(Fault),
    /// To undo the fault with this number.
    Undo(u64),
    /// To take the stack down.
    Down,
}

/// A backend that only notes what it is asked. Clones share everything.
#[derive(Debug, Clone)]
pub struct FakeBackend {
    addresses: Addresses,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<FakeCall>,
    lost: Vec<LostPart>,
    refusal: Option<UpError>,
    left: Vec<String>,
    faults: u64,
}

impl FakeBackend {
    /// A backend whose stacks have these addresses.
    pub fn new(addresses: Addresses) -> Self {
        Self { addresses, state: Arc::default() }
    }

    /// Lets the next start fail.
    pub fn refuse(&self, error: UpError) {
        self.state().refusal = Some(error);
    }

    /// Lets a part be lost.
    pub fn lose(&self, part: LostPart) {
        self.state().lost.push(part);
    }

    /// Lets every teardown leave this behind.
    pub fn leave(&self, what: impl Into<String>) {
        self.state().left.push(what.into());
    }

    /// What was asked so far, in order.
    pub fn calls(&self) -> Vec<FakeCall> {
        self.state().calls.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct FakeStack {
    backend: FakeBackend,
    configuration: String,
}

#[async_trait]
impl Backend for FakeBackend {
    async fn up(
        &self,
        plan: StackPlan,
        _run: &RunFolder,
        tell: &(dyn Fn(StackEvent) + Send + Sync),
    ) -> Result<Box<dyn Stack>, UpError> {
        let mut state = self.state();
        state.calls.push(FakeCall::Up(plan.configuration_name.clone()));
        if let Some(error) = state.refusal.take() {
            return Err(error);
        }
        drop(state);
        tell(StackEvent::StackReady { after: Duration::ZERO });
        Ok(Box::new(FakeStack { backend: self.clone(), configuration: plan.configuration_name }))
    }
}

#[async_trait]
impl Stack for FakeStack {
    fn addresses(&self) -> &Addresses {
        &self.backend.addresses
    }

    fn record(&self) -> StackRecord {
        StackRecord {
            backend: "fake".to_owned(),
            configuration: self.configuration.clone(),
            parts: BTreeMap::new(),
            ready_after_ms: 0,
            left_out: BTreeMap::new(),
        }
    }

    fn secrets(&self) -> Vec<Secret> {
        Vec::new()
    }

    fn versions(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    fn processes(&self) -> BTreeMap<String, u32> {
        BTreeMap::new()
    }

    fn lost(&self) -> Vec<LostPart> {
        self.backend.state().lost.clone()
    }

    async fn inject(&self, fault: &Fault, _lasts: Duration) -> Result<InjectedFault, FaultError> {
        let asked = Timestamp::now();
        let mut state = self.backend.state();
        state.calls.push(FakeCall::Inject(fault.clone()));
        state.faults += 1;
        let number = state.faults;
        Ok(InjectedFault { fault: fault.clone(), asked, injected: Timestamp::now(), number, witnessed: None })
    }

    async fn undo(&self, fault: &InjectedFault) -> Result<Undone, FaultError> {
        let asked = Timestamp::now();
        self.backend.state().calls.push(FakeCall::Undo(fault.number));
        Ok(Undone { asked, undone: Timestamp::now(), witnessed: None })
    }

    async fn down(self: Box<Self>) -> DownReport {
        let mut state = self.backend.state();
        state.calls.push(FakeCall::Down);
        DownReport { stopped: Vec::new(), left: state.left.clone() }
    }
}

#[cfg(test)]
mod tests {
    use firedrill_rulebook::{HarnessWiring, ScaledFlags};

    use super::*;
    use crate::{RunPlaces, default_configuration};

    #[tokio::test]
    async fn a_fake_notes_what_it_is_asked_and_fails_when_told_to() {
        let nowhere = "127.0.0.1:1".parse().unwrap();
        let backend = FakeBackend::new(Addresses {
            prometheus: nowhere,
            alertmanager: nowhere,
            redis: nowhere,
            services: BTreeMap::new(),
            seen_by_prometheus: BTreeMap::new(),
        });
        let root = tempfile::tempdir().unwrap();
        let places = RunPlaces { runs: root.path().join("runs"), state: root.path().join("state") };
        let run = "20261122t142300z-7f3a".parse().unwrap();
        let run = RunFolder::create_in(&places, run, None).unwrap();
        let plan = StackPlan {
            configuration: default_configuration(),
            configuration_name: "default".to_owned(),
            flags: ScaledFlags::at(1),
            harness: HarnessWiring { metrics_address: String::new(), witness_url: String::new() },
            services_environment: BTreeMap::new(),
            services_binary: "nowhere".into(),
            folder: run.stack(1),
            start_deadline: Duration::ZERO,
        };
        let fault = Fault::Errors {
            service: "user".parse().unwrap(),
            ratio: "30%".parse().unwrap(),
            lasts: Duration::from_mins(1),
        };

        backend.refuse(UpError::PartDied {
            part: "redis".into(),
            how: String::new(),
            log_tail: String::new(),
        });
        assert!(backend.up(plan.clone(), &run, &|_| {}).await.is_err());
        let stack = backend.up(plan, &run, &|_| {}).await.unwrap();
        let injected = stack.inject(&fault, Duration::ZERO).await.unwrap();
        stack.undo(&injected).await.unwrap();
        assert_eq!(stack.down().await, DownReport::default());
        let up = FakeCall::Up("default".to_owned());
        assert_eq!(
            backend.calls(),
            [up.clone(), up, FakeCall::Inject(fault), FakeCall::Undo(1), FakeCall::Down]
        );
    }
}
