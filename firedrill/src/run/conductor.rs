//! The conductor: calls the phases of a run in order.

use std::collections::{BTreeMap, VecDeque};

use firedrill_drill::Drill;
use firedrill_record::{
    DrillRecord, EventLog, ExitOutcome, GrowthRecord, NotRun, RUN_SCHEMA, Redactor, RunEventKind, RunId,
    RunRecord, StackRecord, Verdict,
};
use firedrill_rulebook::ConfigFolder;
use firedrill_stack::{Backend, ProcessBackend, RunFolder, RunFolderError, Stack};
use firedrill_verifier::Witness;
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::net::TcpListener;

use super::beside::Company;
use super::burner::with_burner;
use super::drill_run::DrillRun;
use super::events::Events;
use super::interrupts::Interrupts;
use super::prepared::{Group, Setting, prepare};
use super::services_program;
use super::stack_plan::{StackConfiguration, stack_plan};
use super::telling::{changed, told};
use crate::cli::Talk;
use crate::failure::{Failure, INVALID, NOT_SET_UP, in_a_line};

/// How a drill's record counts for the exit code.
pub(crate) fn outcome_of(drill: &DrillRecord) -> ExitOutcome {
    match (drill.passed, drill.verdict) {
        (true, _) => ExitOutcome::Passed,
        (false, Verdict::Inconclusive | Verdict::NotReached) => ExitOutcome::CannotTell,
        (false, Verdict::Violated | Verdict::Held) => ExitOutcome::Failed,
    }
}

/// How the growth of one part counts for the exit code.
pub(crate) fn outcome_of_growth(growth: &GrowthRecord) -> ExitOutcome {
    match growth.verdict {
        Some(Verdict::Violated) => ExitOutcome::Failed,
        Some(Verdict::Inconclusive | Verdict::NotReached) => ExitOutcome::CannotTell,
        Some(Verdict::Held) | None => ExitOutcome::Passed,
    }
}

/// Says which drill comes after the last one of a stack, from what was found so far; none ends the run.
pub(crate) type Sequel = Box<dyn FnMut(&[DrillRecord]) -> Option<Drill> + Send>;

/// Adds to the record what is found over all its drills.
pub(crate) type Summary = Box<dyn FnOnce(&mut RunRecord) + Send>;

/// A run that is ready to begin.
pub(crate) struct Conductor {
    groups: Vec<Group>,
    folder: RunFolder,
    record: RunRecord,
    /// Each drill draws a seed of its own: runs whose seeds are neighbours share none.
    seeds: StdRng,
    events: Events,
    redactor: Redactor,
    interrupts: Interrupts,
    services: std::path::PathBuf,
    sequel: Option<Sequel>,
    company: Option<Company>,
    summary: Option<Summary>,
}

impl Conductor {
    /// Decides everything that can be decided before anything starts, and makes the run folder.
    pub(crate) fn prepare(
        setting: &Setting,
        drills: Vec<Drill>,
        talk: &Talk,
        interrupts: Interrupts,
    ) -> Result<Self, Failure> {
        let (groups, not_run) = prepare(setting, drills)?;
        let services = services_program::find()?;
        let started = Timestamp::now();
        let set_up = |error: &dyn std::error::Error| Failure::new(NOT_SET_UP, error, None);
        let id = RunId::new(started, rand::random());
        let folder = RunFolder::create(id.clone(), setting.out.as_deref()).map_err(|error| match error {
            RunFolderError::NotEmpty { .. } => {
                Failure::new(INVALID, &error, Some("name a folder that is empty or not there yet"))
            }
            _ => set_up(&error),
        })?;
        let redactor = Redactor::of_environment(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        let log = EventLog::open(&folder.events()).map_err(|error| set_up(&error))?;
        log_into(&folder).map_err(|error| set_up(&error))?;
        let events = Events::new(log, talk.progress.clone(), redactor.clone());
        let record = RunRecord {
            schema: RUN_SCHEMA.to_owned(),
            run: id,
            seed: setting.seed.unwrap_or_else(rand::random),
            speed: groups.first().map_or(1, |group| group.speed),
            started,
            seconds: 0.0,
            versions: BTreeMap::from([("firedrill".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]),
            stacks: Vec::new(),
            drills: Vec::new(),
            not_run,
            growth: Vec::new(),
            capacity: None,
            trials: Vec::new(),
            exit: ExitOutcome::Passed,
            exit_because: None,
        };
        let mut ready = Self {
            groups,
            folder,
            seeds: StdRng::seed_from_u64(record.seed),
            record,
            events,
            redactor,
            interrupts,
            services,
            sequel: None,
            company: None,
            summary: None,
        };
        if setting.strict && !ready.record.not_run.is_empty() {
            ready.exit(ExitOutcome::CannotTell, "a drill was not run, which --strict does not allow");
        }
        Ok(ready)
    }

    /// The same run, which asks `sequel` for more when the drills of a stack are over, and `summary` in the end.
    pub(crate) fn followed_by(self, sequel: Sequel, summary: Summary) -> Self {
        Self { sequel: Some(sequel), summary: Some(summary), ..self }
    }

    /// The same run, each drill of which has beside it what `company` starts, and which asks `summary` in the end.
    pub(crate) fn accompanied_by(self, company: Company, summary: Summary) -> Self {
        Self { company: Some(company), summary: Some(summary), ..self }
    }

    /// Runs every group, writes the record, and gives it with its folder.
    pub(crate) async fn conduct(mut self) -> Result<(RunFolder, RunRecord), Failure> {
        self.events.tell(RunEventKind::RunStarted {
            run: self.record.run.clone(),
            folder: self.folder.path().display().to_string(),
            seed: self.record.seed,
            speed: self.record.speed,
            drills: self
                .groups
                .iter()
                .flat_map(|group| &group.drills)
                .map(|drill| drill.name.clone())
                .collect(),
            versions: self.record.versions.clone(),
        });
        for (number, group) in std::mem::take(&mut self.groups).into_iter().enumerate() {
            if self.interrupts.asked() {
                self.not_run(&group.drills, "the run was interrupted");
            } else {
                self.run_group(number + 1, group).await;
            }
        }
        if self.interrupts.asked() {
            self.exit(ExitOutcome::Interrupted, "the run was interrupted");
        }
        for drill in &self.record.drills {
            self.record.exit = self.record.exit.max(outcome_of(drill));
        }
        if let Some(summary) = self.summary.take() {
            summary(&mut self.record);
        }
        for growth in self.record.growth.clone() {
            let because = format!("{} of {}: {}", growth.quantity, growth.part, growth.sentence);
            self.exit(outcome_of_growth(&growth), &because);
        }
        if let Some(problem) = self.events.broken() {
            self.exit(ExitOutcome::CannotTell, &format!("failed to {problem}"));
        }
        self.record.seconds = self.events.elapsed();
        self.events.tell(RunEventKind::RunEnded { exit: self.record.exit, seconds: self.record.seconds });
        self.events.finish();
        if let Err(failure) = self.write_record() {
            if self.record.exit != ExitOutcome::FaultNotUndone {
                // Nothing of the run is left but files.
                self.folder.end().map_err(|error| Failure::new(NOT_SET_UP, &error, None))?;
            }
            return Err(failure.because(self.record.exit_because.as_deref()));
        }
        Ok((self.folder, self.record))
    }

    /// Writes the record redacted, and keeps what was written: what is shown is what is stored.
    fn write_record(&mut self) -> Result<(), Failure> {
        let path = self.folder.record();
        let told = |error: &dyn std::fmt::Display| {
            Failure::plain(NOT_SET_UP, &format!("failed to write {}: {error}", path.display()))
        };
        let text = serde_json::to_string_pretty(&self.record).map_err(|error| told(&error))?;
        let text = self.redactor.redact(&text);
        self.record = serde_json::from_str(&text).map_err(|error| told(&error))?;
        std::fs::write(&path, text).map_err(|error| {
            // Half a record is none. What cannot be removed either is told by the first error.
            let _ = std::fs::remove_file(&path);
            told(&error)
        })
    }

    fn exit(&mut self, outcome: ExitOutcome, because: &str) {
        if outcome > self.record.exit {
            self.record.exit = outcome;
            self.record.exit_because = Some(because.to_owned());
        }
    }

    fn not_run(&mut self, drills: &[Drill], why: &str) {
        self.record
            .not_run
            .extend(drills.iter().map(|drill| NotRun { drill: drill.name.clone(), why: why.to_owned() }));
    }

    /// `drill` did not run, or not so that it could be judged.
    fn cannot_tell(&mut self, drill: &Drill, problem: &str) {
        self.events.warn(problem);
        self.not_run(std::slice::from_ref(drill), problem);
        self.exit(ExitOutcome::CannotTell, problem);
    }

    async fn run_group(&mut self, number: usize, group: Group) {
        let witness = match listen().await {
            Ok(witness) => witness,
            Err(error) => {
                self.not_run(&group.drills, "the stack could not be set up");
                self.exit(ExitOutcome::StackNotUp, &format!("failed to listen for notifications: {error}"));
                return;
            }
        };
        for change in &group.compressed.changes {
            self.events.tell(changed(change));
        }
        for rule in group.compressed.left_out() {
            self.events.tell(RunEventKind::RuleLeftOut { rule: rule.rule.clone(), why: rule.why() });
        }
        if let Some(stack) = self.bring_up(number, &group, &witness).await {
            self.run_drills(number, &group, stack, &witness).await;
        }
        witness.stop().await;
    }

    async fn bring_up(&mut self, number: usize, group: &Group, witness: &Witness) -> Option<Box<dyn Stack>> {
        let configuration = StackConfiguration {
            name: &group.configuration_name,
            compressed: &group.compressed,
            firedrill: &group.firedrill,
        };
        let plan = stack_plan(configuration, &self.services, self.folder.stack(number), witness);
        self.events.tell(RunEventKind::StackStarting { parts: parts_of(&plan.configuration) });
        let backend = with_burner(ProcessBackend::from_environment());
        let events = self.events.clone();
        let tell = move |event| events.tell(told(event));
        let up = tokio::select! {
            up = backend.up(plan, &self.folder, &tell) => up,
            () = self.interrupts.wait() => {
                self.events.tell(RunEventKind::InterruptReceived);
                self.not_run(&group.drills, "the run was interrupted while the stack started");
                return None;
            }
        };
        match up {
            Ok(stack) => Some(stack),
            Err(error) => {
                self.not_run(&group.drills, "the stack could not be set up");
                let hint = error.hint().map_or_else(String::new, |hint| format!("; hint: {hint}"));
                let because = format!("failed to {}{hint}", in_a_line(&error));
                self.events.warn(because.clone());
                self.exit(ExitOutcome::StackNotUp, &because);
                None
            }
        }
    }

    async fn run_drills(&mut self, number: usize, group: &Group, stack: Box<dyn Stack>, witness: &Witness) {
        self.redactor = std::mem::take(&mut self.redactor).and(stack.secrets());
        self.events.set_redactor(self.redactor.clone());
        self.record.versions.extend(stack.versions());
        let left_out: BTreeMap<String, String> =
            group.compressed.left_out().into_iter().map(|rule| (rule.rule.clone(), rule.why())).collect();
        self.record.stacks.push(StackRecord { left_out: left_out.clone(), ..stack.record() });
        let mut undone = true;
        let mut drills: VecDeque<Drill> = group.drills.iter().cloned().collect();
        for index in 0.. {
            if drills.is_empty()
                && !self.interrupts.asked()
                && let Some(sequel) = &mut self.sequel
            {
                drills.extend(sequel(&self.record.drills));
            }
            if drills.is_empty() {
                break;
            }
            if self.interrupts.asked() {
                self.not_run(drills.make_contiguous(), "the run was interrupted");
                break;
            }
            if let Some(lost) = stack.lost().first() {
                let why = format!("{} of the stack ended ({})", lost.part, lost.how);
                self.not_run(drills.make_contiguous(), &why);
                self.exit(ExitOutcome::StackNotUp, &why);
                break;
            }
            let Some(drill) = drills.pop_front() else { break };
            let seed = self.seeds.random();
            let beside = match self.company.as_mut().map_or(Ok(None), |start| start(&drill, &self.record.run))
            {
                Ok(beside) => beside,
                Err(problem) => {
                    self.cannot_tell(&drill, &problem);
                    continue;
                }
            };
            let run = DrillRun {
                drill: &drill,
                number: u32::try_from(index + 1_usize).unwrap_or(u32::MAX),
                stack_number: number,
                seed,
                beside: beside.as_ref().map(|one| (one.name(), one.pid())),
                run: self.record.run.clone(),
                speed: group.speed,
                firedrill: &group.firedrill,
                configuration: &group.compressed.folder,
                left_out: &left_out,
                stack: stack.as_ref(),
                witness,
                folder: self.folder.drill(&drill.name),
                redactor: self.redactor.clone(),
                events: &self.events,
                interrupts: &self.interrupts,
            };
            let conducted = run.conduct().await;
            if let Some(problem) = beside.and_then(|one| one.end().err()) {
                self.events.warn(format!("{}: {problem}", drill.name));
                self.exit(ExitOutcome::CannotTell, &format!("{}: {problem}", drill.name));
            }
            match conducted {
                Ok(judged) => {
                    undone &=
                        judged.faults.iter().all(|fault| fault.injected.is_none() || fault.undone.is_some());
                    self.record.drills.push(judged);
                    if !undone {
                        // It would still be there in the next drill; the end of the stack ends it.
                        self.not_run(
                            drills.make_contiguous(),
                            "a fault of the drill before could not be undone",
                        );
                        break;
                    }
                }
                // A full disk, for one: nothing can be judged without its evidence.
                Err(problem) => self.cannot_tell(&drill, &problem),
            }
        }
        self.events.set_drill(None);
        self.events.tell(RunEventKind::TeardownStarted);
        let down = stack.down().await;
        for part in down.stopped {
            self.events.tell(RunEventKind::PartStopped { part: part.part, how: part.how });
        }
        // With all its parts gone a fault is undone, whatever its switch said.
        if !down.left.is_empty() {
            let left = down.left.join(", ");
            let what = if undone { "left running" } else { "left running with a fault that is not undone" };
            self.exit(ExitOutcome::FaultNotUndone, &format!("{what}: {left}"));
        }
    }
}

/// Sends what the crates below log into `firedrill.log`: progress on stderr stays whole, and no library brings a logger
/// of its own.
pub(crate) fn log_into(folder: &RunFolder) -> std::io::Result<()> {
    let file = std::fs::File::create(folder.path().join("firedrill.log"))?;
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter("warn,firedrill=info")
        .with_writer(std::sync::Mutex::new(file))
        .finish();
    // A second run in one process keeps the first one's.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}

/// How many parts a stack of this configuration is told to have.
pub(crate) fn parts_of(configuration: &ConfigFolder) -> usize {
    let prometheus = configuration.prometheus();
    prometheus.map_or(0, |it| it.jobs.iter().map(|job| job.targets.len()).sum::<usize>() + 1)
}

/// The harness's own end points on a free port.
pub(crate) async fn listen() -> std::io::Result<Witness> {
    Witness::start(TcpListener::bind("127.0.0.1:0").await?)
}
