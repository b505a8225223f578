//! A run of a test, and what it needs to bring a stack up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firedrill_record::RunId;
use firedrill_rulebook::{HarnessWiring, ScaledFlags, compress};
use firedrill_stack::{
    Backend, PortChoice, ProcessBackend, RunFolder, RunPlaces, Stack, StackEvent, StackPlan, UpError,
    default_configuration, processes_of,
};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

const SPEED: u32 = 60;

/// A run with a harness that is scraped.
pub(crate) struct Rehearsal {
    pub(crate) run: RunFolder,
    harness: MockServer,
    /// Removed when the rehearsal is dropped.
    _root: Option<tempfile::TempDir>,
}

pub(crate) fn places(root: &Path) -> RunPlaces {
    RunPlaces { runs: root.join("runs"), state: root.join("state") }
}

impl Rehearsal {
    pub(crate) async fn new(number: u16) -> Self {
        let root = tempfile::tempdir().unwrap();
        let below = Self::below(root.path(), number).await;
        Self { _root: Some(root), ..below }
    }

    pub(crate) async fn below(root: &Path, number: u16) -> Self {
        let run = RunId::new(jiff::Timestamp::now(), number);
        let run = RunFolder::create_in(&places(root), run, None).unwrap();
        let harness = MockServer::start().await;
        let metrics = ResponseTemplate::new(200).set_body_string("firedrill_run 1\n");
        Mock::given(path("/metrics")).respond_with(metrics).mount(&harness).await;
        Mock::given(wiremock::matchers::method("POST"))
            .respond_with(ResponseTemplate::new(200))
            .mount(&harness)
            .await;
        Self { run, harness, _root: None }
    }

    pub(crate) fn plan(&self) -> StackPlan {
        let compressed = compress(&default_configuration(), SPEED).unwrap();
        StackPlan {
            configuration: compressed.folder,
            configuration_name: "default".to_owned(),
            flags: ScaledFlags::at(SPEED),
            harness: HarnessWiring {
                metrics_address: self.harness.address().to_string(),
                witness_url: format!("{}/witness", self.harness.uri()),
            },
            services_environment: [("FAULTS_INERT".to_owned(), "0".to_owned())].into(),
            services_binary: services_binary(),
            folder: self.run.stack(1),
            start_deadline: Duration::from_mins(1),
        }
    }

    pub(crate) async fn up(
        &self,
        plan: StackPlan,
        tell: impl Fn(StackEvent) + Send + Sync,
    ) -> Result<Box<dyn Stack>, UpError> {
        ProcessBackend::from_environment().up(plan, &self.run, &tell).await
    }

    /// On these ports and no others.
    pub(crate) async fn up_on(
        &self,
        ports: &BTreeMap<String, u16>,
        tell: impl Fn(StackEvent) + Send + Sync,
    ) -> Result<Box<dyn Stack>, UpError> {
        let backend = ProcessBackend::from_environment().with_ports(PortChoice::Given(ports.clone()));
        backend.up(self.plan(), &self.run, &tell).await
    }

    pub(crate) fn nothing_is_left(&self) {
        assert_eq!(processes_of(self.run.id()).unwrap(), []);
    }
}

/// The program of the services, beside the tests.
fn services_binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let binary = test.ancestors().nth(2).unwrap().join("firedrill-services");
    assert!(binary.is_file(), "{} is missing: cargo build -p firedrill-services", binary.display());
    binary
}
