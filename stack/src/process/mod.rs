//! The process backend: every part of the stack is a process of this host, listening on 127.0.0.1 only.
//!
//! Parts are found by `tools`, get free ports from `ports`, are described in `parts`, started and stopped as a `Part`
//! each, and waited for in `readiness`.

mod configuration;
mod part;
mod parts;
mod ports;
mod readiness;
mod stack;
mod teardown;
mod tools;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firedrill_record::Secret;
use futures_util::future::join;
use rand::TryRngCore;
use rand::rngs::OsRng;

use crate::backend::{Backend, Stack, StackEvent, StackPlan};
use crate::deadline::Deadline;
use crate::failure::UpError;
use crate::run_folder::RunFolder;
use crate::undo::UndoLedger;

pub use ports::PortError;
pub use tools::ToolError;

use configuration::Configuration;
use parts::{Layout, Secrets};
use ports::PortLease;
use readiness::Readiness;
use stack::ProcessStack;
use teardown::Teardown;
use tools::Tools;

type Tell<'a> = &'a (dyn Fn(StackEvent) + Send + Sync);

/// How many sets of ports are tried when a part finds its port taken.
const TRIES: usize = 4;

/// Runs stacks as processes of this host.
#[derive(Debug, Clone)]
pub struct ProcessBackend {
    search: Vec<PathBuf>,
    environment: BTreeMap<String, String>,
}

impl ProcessBackend {
    /// A backend that looks for programs on `PATH` and then in `.tools/bin` of the working directory. Of the caller's
    /// environment its children get `PATH`, `HOME` and `TZ`, nothing else.
    pub fn from_environment() -> Self {
        let path = env::var_os("PATH").unwrap_or_default();
        let search = env::split_paths(&path).chain([PathBuf::from(".tools/bin")]).collect();
        let kept = ["PATH", "HOME", "TZ"];
        let environment =
            kept.into_iter().filter_map(|name| Some((name.to_owned(), env::var(name).ok()?))).collect();
        Self { search, environment }
    }

    /// The same backend, looking for programs in these folders only.
    #[must_use]
    pub fn with_search_path(self, search: Vec<PathBuf>) -> Self {
        Self { search, ..self }
    }

    /// What every child of `run` has in its environment. The locale is fixed, as Redis does not start under one that
    /// is not installed.
    fn base_environment(&self, run: &RunFolder) -> BTreeMap<String, String> {
        let mut environment = self.environment.clone();
        environment.insert("LANG".to_owned(), "C".to_owned());
        environment.insert(crate::processes::RUN_VARIABLE.to_owned(), run.id().to_string());
        environment
    }
}

#[async_trait]
impl Backend for ProcessBackend {
    async fn up(
        &self,
        mut plan: StackPlan,
        run: &RunFolder,
        tell: Tell<'_>,
    ) -> Result<Box<dyn Stack>, UpError> {
        plan.services_binary = program(&plan.services_binary)?;
        let ledger = Arc::clone(run.ledger()?);
        let tools = Tools::find(&self.search).await?;
        let secrets = Secrets { fault_token: random_secret(), signing_key: random_secret() };
        let readiness = Readiness::new();
        let start = Start {
            plan: &plan,
            tools: &tools,
            secrets: &secrets,
            ledger: &ledger,
            readiness: &readiness,
            tell,
        };
        let environment = self.base_environment(run);
        let mut tried = 1;
        make_empty(&plan.folder)?;
        let started = loop {
            let ports = PortLease::take(&run.places().port_locks(), Layout::PORTS)?;
            let layout = Layout::new(ports, &plan.folder, environment.clone());
            match start.start(layout).await {
                Ok(started) => break started,
                Err(UpError::PortsTaken { part, address, .. }) if tried < TRIES => {
                    tell(StackEvent::PortTaken { part, address });
                    tried += 1;
                    remove(&plan.folder)?;
                }
                Err(UpError::PortsTaken { part, address, .. }) => {
                    return Err(UpError::PortsTaken { part, address, tries: tried });
                }
                Err(error) => return Err(error),
            }
        };
        tell(StackEvent::StackReady { after: started.ready_after });
        Ok(Box::new(ProcessStack::new(plan, tools, secrets, ledger, run, started)))
    }
}

/// The services' program from the root, as the working directory of a part is its own folder.
fn program(path: &Path) -> Result<PathBuf, UpError> {
    let fail = |source| UpError::Spawn { part: "the services".to_owned(), program: path.to_owned(), source };
    fs::metadata(path).and_then(|_| std::path::absolute(path)).map_err(fail)
}

/// 256 bits from the operating system, in hexadecimal.
fn random_secret() -> Secret {
    let mut bytes = [0u8; 32];
    OsRng.try_fill_bytes(&mut bytes).expect("the operating system gives random bytes");
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    Secret::new(digits.map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')).collect::<String>())
}

/// All parts, started and ready.
struct Started {
    parts: Teardown,
    ready_after: Duration,
    /// After the parts: its ports stay locked until they are gone.
    layout: Layout,
}

/// One start of all parts: what does not change between tries.
struct Start<'a> {
    plan: &'a StackPlan,
    tools: &'a Tools,
    secrets: &'a Secrets,
    ledger: &'a Arc<UndoLedger>,
    readiness: &'a Readiness,
    tell: Tell<'a>,
}

impl Start<'_> {
    async fn start(&self, layout: Layout) -> Result<Started, UpError> {
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

/// The folder must hold nothing, as a try that fails removes it whole.
fn make_empty(folder: &Path) -> Result<(), UpError> {
    let fail = |source| UpError::Folder { path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(fail)?;
    if fs::read_dir(folder).map_err(fail)?.next().is_some() {
        return Err(fail(io::ErrorKind::DirectoryNotEmpty.into()));
    }
    Ok(())
}

/// A try that failed leaves half a stack.
fn remove(folder: &Path) -> Result<(), UpError> {
    fs::remove_dir_all(folder).map_err(|source| UpError::Folder { path: folder.to_owned(), source })
}
