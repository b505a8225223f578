//! The backend itself: it finds the programs, makes the secrets, and tries again with other ports when one is taken.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use firedrill_drill::Fault;
use firedrill_record::Secret;
use rand::TryRngCore;
use rand::rngs::OsRng;

use super::burner::{Burner, BurnerProgram};
use super::parts::{Layout, Secrets};
use super::ports::{PortChoice, PortError, PortLease};
use super::readiness::Readiness;
use super::stack::ProcessStack;
use super::start::{Start, Tell};
use super::tools::Tools;
use crate::backend::{Backend, Stack, StackEvent, StackPlan};
use crate::failure::UpError;
use crate::run_folder::RunFolder;

/// How many sets of ports are tried when a part finds its port taken.
const TRIES: usize = 4;

/// Runs stacks as processes of this host.
#[derive(Debug, Clone)]
pub struct ProcessBackend {
    search: Vec<PathBuf>,
    environment: BTreeMap<String, String>,
    ports: PortChoice,
    burner: Option<BurnerProgram>,
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
        Self { search, environment, ports: PortChoice::Free, burner: None }
    }

    /// The same backend, looking for programs in these folders only.
    #[must_use]
    pub fn with_search_path(self, search: Vec<PathBuf>) -> Self {
        Self { search, ..self }
    }

    /// The same backend, giving the parts these ports.
    #[must_use]
    pub fn with_ports(self, ports: PortChoice) -> Self {
        Self { ports, ..self }
    }

    /// The same backend, keeping processors of the host busy by this program: without one that fault cannot be had.
    #[must_use]
    pub fn with_burner(self, burner: BurnerProgram) -> Self {
        Self { burner: Some(burner), ..self }
    }

    fn lease(&self, locks: &Path) -> Result<PortLease, PortError> {
        let deployed = Layout::deployed();
        match &self.ports {
            PortChoice::Free => PortLease::take(locks, deployed.len()),
            PortChoice::Given(given) => PortLease::take_given(locks, given, &deployed),
        }
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
            let ports = self.lease(&run.places().port_locks())?;
            let layout = Layout::new(ports, &plan.folder, environment.clone());
            match start.start(layout).await {
                Ok(started) => break started,
                Err(UpError::PortsTaken { part, address, .. }) => {
                    if self.ports != PortChoice::Free {
                        let source = io::ErrorKind::AddrInUse.into();
                        return Err(PortError::Taken { part, address, source }.into());
                    }
                    if tried == TRIES {
                        return Err(UpError::PortsTaken { part, address, tries: tried });
                    }
                    tell(StackEvent::PortTaken { part, address });
                    tried += 1;
                    remove(&plan.folder)?;
                }
                Err(error) => return Err(error),
            }
        };
        tell(StackEvent::StackReady { after: started.ready_after });
        let folder = plan.folder.join(Fault::BURNER);
        let burner = Burner::new(self.burner.clone(), environment, folder, Arc::clone(&ledger));
        Ok(Box::new(ProcessStack::new(plan, tools, secrets, ledger, run, readiness, burner, started)))
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
