//! The owner of a stack that stays: it brings the stack up, serves the witness, waits until it is told to end, and
//! takes the stack down.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firedrill_record::{EventLog, ExitOutcome, Redactor, RunEventKind, RunId};
use firedrill_reports::{ProgressStyle, TerminalOptions};
use firedrill_rulebook::{Compressed, FiredrillConfig, compress};
use firedrill_stack::{Backend as _, PortChoice, ProcessBackend, RunFolder, RunFolderError, Stack};
use firedrill_verifier::Witness;
use jiff::Timestamp;

use super::announcement::Announcement;
use super::standing::standing;
use super::table::addresses;
use crate::cli::{Ports, Talk, UpArguments};
use crate::commands::say;
use crate::failure::{Failure, INVALID, NOT_SET_UP};
use crate::run::{
    Events, Interrupts, StackConfiguration, base_configuration, changed, find_services, listen, log_into,
    parts_of, stack_plan, told,
};

/// Run folders of stacks that stay, beside those of runs: `latest` is never one of them.
const FOLDERS: &str = ".firedrill/up";
/// In the run folder: what a detached owner says once it is ready.
const LOG: &str = "owner.log";
/// As deployed.
const SPEED: u32 = 1;
/// How often the owner looks whether a part was lost.
const LOOK: Duration = Duration::from_secs(1);

/// Holds a stack until it is told to end. Gives the exit code.
pub(crate) fn own(arguments: &UpArguments, talk: &Talk, interrupts: Interrupts) -> Result<u8, Failure> {
    if arguments.detached {
        // Out of the terminal's reach: neither its Ctrl-C nor its end is meant for a stack that stays.
        rustix::process::setsid().map_err(|error| told_as("begin a session of its own", &error))?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| told_as("start the runtime", &error))?;
    let owner = Owner::prepare(arguments, talk, interrupts)?;
    runtime.block_on(owner.hold())
}

struct Owner {
    detached: bool,
    backend: ProcessBackend,
    configuration_name: String,
    compressed: Compressed,
    firedrill: FiredrillConfig,
    services: PathBuf,
    folder: RunFolder,
    redactor: Redactor,
    events: Events,
    interrupts: Interrupts,
}

impl Owner {
    /// Decides everything that can be decided before anything starts, and makes the run folder.
    fn prepare(arguments: &UpArguments, talk: &Talk, interrupts: Interrupts) -> Result<Self, Failure> {
        if let Some(before) = standing()?.first() {
            let (run, folder) = (&before.run.run, before.run.folder.display());
            let sentence = if before.owner().is_some() {
                format!("a stack is up already: run {run} in {folder}")
            } else {
                format!("a stack whose owner was killed is still there: run {run} in {folder}")
            };
            let hint = "hint: `firedrill status` shows it, `firedrill down` takes it down";
            return Err(Failure::plain(NOT_SET_UP, &format!("{sentence}\n{hint}")));
        }
        let invalid = |error: &dyn std::error::Error| Failure::told(INVALID, error, None);
        let base = base_configuration(arguments.config.as_deref())?;
        let compressed = compress(&base, SPEED).map_err(|error| invalid(&error))?;
        let firedrill = base.firedrill().map_err(|error| invalid(&error))?;
        let services = find_services()?;
        let id = RunId::new(Timestamp::now(), rand::random());
        let out = arguments.out.clone().unwrap_or_else(|| Path::new(FOLDERS).join(id.as_str()));
        let folder = RunFolder::create(id, Some(&out)).map_err(|error| match error {
            RunFolderError::NotEmpty { .. } => {
                Failure::new(INVALID, &error, Some("name a folder that is empty or not there yet"))
            }
            _ => Failure::new(NOT_SET_UP, &error, None),
        })?;
        let redactor = Redactor::of_environment(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        let log = EventLog::open(&folder.events()).map_err(|error| Failure::new(NOT_SET_UP, &error, None))?;
        log_into(&folder).map_err(|error| told_as("open the log", &error))?;
        Announcement::starting()
            .write(folder.path())
            .map_err(|error| told_as("announce the stack", &error))?;
        let ports = match arguments.ports {
            Ports::Deployed => PortChoice::deployed(),
            Ports::Free => PortChoice::Free,
        };
        Ok(Self {
            detached: arguments.detached,
            backend: ProcessBackend::from_environment().with_ports(ports),
            configuration_name: arguments
                .config
                .as_ref()
                .map_or_else(|| "default".to_owned(), |folder| folder.display().to_string()),
            compressed,
            firedrill,
            services,
            folder,
            events: Events::new(log, talk.progress.clone(), redactor.clone()),
            redactor,
            interrupts,
        })
    }

    /// From the first part to the last.
    async fn hold(self) -> Result<u8, Failure> {
        let witness = match listen().await {
            Ok(witness) => witness,
            Err(error) => return self.given_up(told_as("listen for notifications", &error)),
        };
        for change in &self.compressed.changes {
            self.events.tell(changed(change));
        }
        for rule in self.compressed.left_out() {
            self.events.warn(format!("the rule {} is left out: {}", rule.rule, rule.why()));
        }
        self.events.tell(RunEventKind::StackStarting { parts: parts_of(&self.compressed.folder) });
        let Some(up) = self.bring_up(&witness).await else {
            self.events.tell(RunEventKind::InterruptReceived);
            return self.ended(ExitOutcome::Interrupted.code());
        };
        let stack = match up {
            Ok(stack) => stack,
            Err(failure) => return self.given_up(failure),
        };
        self.events.set_redactor(self.redactor.clone().and(stack.secrets()));
        let announced = self.announce(stack.as_ref());
        if announced.is_ok() {
            self.stay(stack.as_ref()).await;
            self.events.tell(RunEventKind::InterruptReceived);
        }
        self.events.tell(RunEventKind::TeardownStarted);
        let down = stack.down().await;
        witness.stop().await;
        for part in down.stopped {
            self.events.tell(RunEventKind::PartStopped { part: part.part, how: part.how });
        }
        if down.left.is_empty() {
            return match announced {
                Ok(()) => self.ended(0),
                Err(failure) => self.given_up(failure),
            };
        }
        // It stays registered, so that `down` and `restore` look after it.
        let left = format!("left running: {}", down.left.join(", "));
        self.events.warn(left.clone());
        Err(Failure::plain(ExitOutcome::FaultNotUndone.code(), &left))
    }

    /// None when the owner was told to end meanwhile.
    async fn bring_up(&self, witness: &Witness) -> Option<Result<Box<dyn Stack>, Failure>> {
        let configuration = StackConfiguration {
            name: &self.configuration_name,
            compressed: &self.compressed,
            firedrill: &self.firedrill,
        };
        let plan = stack_plan(configuration, &self.services, self.folder.stack(1), witness);
        let events = self.events.clone();
        let tell = move |event| events.tell(told(event));
        let up = tokio::select! {
            up = self.backend.up(plan, &self.folder, &tell) => up,
            () = self.interrupts.wait() => return None,
        };
        Some(up.map_err(|error| Failure::new(NOT_SET_UP, &error, error.hint().as_deref())))
    }

    /// Says that the stack is up: in the run folder, and to whoever waits for it.
    fn announce(&self, stack: &dyn Stack) -> Result<(), Failure> {
        let mut parts = std::collections::BTreeMap::new();
        for (part, address) in stack.record().parts {
            let address: SocketAddr =
                address.parse().map_err(|error| told_as("read the address of a part", &error))?;
            parts.insert(part, address);
        }
        let announcement = Announcement { ready: Some(Timestamp::now()), parts };
        let path = self.folder.path();
        announcement.write(path).map_err(|error| told_as("announce the stack", &error))?;
        self.events.finish();
        if self.detached {
            return self.leave().map_err(|error| told_as("tell that the stack is up", &error));
        }
        let table = addresses(&announcement.parts);
        say(&format!("{table}run folder {}\nCtrl-C takes it down\n", path.display()))
    }

    /// The last word to whoever has started this process; from here on both outputs are in the run folder. When nobody
    /// hears it, nobody knows of the stack: that is an error.
    fn leave(&self) -> std::io::Result<()> {
        let log = File::create(self.folder.path().join(LOG))?;
        let plain = TerminalOptions { colour: false, progress: ProgressStyle::Plain, width: None };
        self.events.show_with(plain);
        rustix::stdio::dup2_stderr(&log)?;
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{}", self.folder.path().display())?;
        stdout.flush()?;
        rustix::stdio::dup2_stdout(&log)?;
        Ok(())
    }

    /// Until the owner is told to end. A part that ends by itself is told once, and stays away.
    async fn stay(&self, stack: &dyn Stack) {
        let mut told = std::collections::BTreeSet::new();
        let looking = async {
            let mut looks = tokio::time::interval(LOOK);
            loop {
                looks.tick().await;
                for lost in stack.lost() {
                    if told.insert(lost.part.clone()) {
                        self.events.warn(format!("{} of the stack ended ({})", lost.part, lost.how));
                    }
                }
            }
        };
        tokio::select! {
            () = looking => {}
            () = self.interrupts.wait() => {}
        }
    }

    /// Nothing of the stack is left but files.
    fn ended(self, code: u8) -> Result<u8, Failure> {
        self.events.finish();
        self.folder.end().map_err(|error| Failure::new(NOT_SET_UP, &error, None))?;
        Ok(code)
    }

    /// The same after a failure, which is what is told; its reason is in the run folder, too.
    fn given_up(self, failure: Failure) -> Result<u8, Failure> {
        tracing::error!(failure = failure.text, "the stack did not stay");
        self.ended(failure.code)?;
        Err(failure)
    }
}

fn told_as(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::plain(NOT_SET_UP, &format!("failed to {what}: {error}"))
}
