//! A stack of processes that is up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firedrill_drill::Fault;
use firedrill_record::{RunId, Secret, StackRecord};
use jiff::Timestamp;
use rustix::process::Signal;

use super::burner::Burner;
use super::killing::RunningParts;
use super::parts::{Layout, Secrets};
use super::readiness::Readiness;
use super::start::Started;
use super::teardown::Teardown;
use super::tools::Tools;
use crate::backend::{Addresses, DownReport, InjectedFault, LostPart, Stack, StackPlan, Undone};
use crate::deadline::{Deadline, Probe};
use crate::failure::FaultError;
use crate::faults::{Mended, Switches, driver};
use crate::processes::{processes_of, signal};
use crate::run_folder::RunFolder;
use crate::undo::{UndoEntry, UndoLedger};

/// How long what escaped its part's process group may take to be gone after SIGKILL.
const SWEPT_WITHIN: Duration = Duration::from_secs(2);

pub(super) struct ProcessStack {
    parts: Teardown,
    addresses: Addresses,
    record: StackRecord,
    versions: BTreeMap<String, String>,
    secrets: Secrets,
    switches: Switches,
    readiness: Readiness,
    /// How long a part that is started again may take to be ready.
    ready_within: Duration,
    burner: Burner,
    ledger: Arc<UndoLedger>,
    run: RunId,
    /// Its ports stay locked until the parts are gone: fields are dropped in their order.
    _layout: Layout,
}

impl ProcessStack {
    #[expect(clippy::too_many_arguments, reason = "the pieces of a stack, each once")]
    pub(super) fn new(
        plan: StackPlan,
        tools: Tools,
        secrets: Secrets,
        ledger: Arc<UndoLedger>,
        run: &RunFolder,
        readiness: Readiness,
        burner: Burner,
        started: Started,
    ) -> Self {
        let Started { parts, ready_after, layout } = started;
        let addresses = layout.public_addresses();
        let switches = Switches::new(addresses.services.clone(), secrets.fault_token.clone())
            .with_exporter(plan.harness.metrics_address);
        Self {
            record: StackRecord {
                backend: "process".to_owned(),
                configuration: plan.configuration_name,
                parts: layout.parts(),
                ready_after_ms: u64::try_from(ready_after.as_millis()).unwrap_or(u64::MAX),
                left_out: BTreeMap::new(),
            },
            versions: [
                ("prometheus", tools.prometheus),
                ("alertmanager", tools.alertmanager),
                ("node-exporter", tools.node_exporter),
                ("redis-exporter", tools.redis_exporter),
                ("redis", tools.redis_server),
            ]
            .map(|(part, tool)| (part.to_owned(), tool.version))
            .into(),
            parts,
            addresses,
            secrets,
            switches,
            readiness,
            ready_within: plan.start_deadline,
            burner,
            ledger,
            run: run.id().clone(),
            _layout: layout,
        }
    }

    /// Whether the part has ended: what it held is undone by that.
    fn has_ended(&self, part: &str) -> bool {
        self.parts.parts().iter().any(|one| one.plan.name == part && one.ended().is_some())
    }

    fn running_parts(&self) -> RunningParts<'_> {
        RunningParts {
            parts: self.parts.parts(),
            readiness: &self.readiness,
            ready_within: self.ready_within,
            burner: &self.burner,
        }
    }
}

#[async_trait]
impl Stack for ProcessStack {
    fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    fn record(&self) -> StackRecord {
        self.record.clone()
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.secrets.fault_token.clone(), self.secrets.signing_key.clone()]
    }

    fn versions(&self) -> BTreeMap<String, String> {
        self.versions.clone()
    }

    fn processes(&self) -> BTreeMap<String, u32> {
        let parts = self.parts.parts();
        let running = parts.iter().filter(|part| part.ended().is_none());
        let burner = self.burner.pid().map(|pid| (Fault::BURNER.to_owned(), pid));
        running.map(|part| (part.plan.name.clone(), part.pid())).chain(burner).collect()
    }

    fn lost(&self) -> Vec<LostPart> {
        let parts = self.parts.parts();
        let lost = parts.iter().filter_map(|part| Some((part, part.lost()?)));
        lost.map(|(part, how)| LostPart { part: part.plan.name.clone(), how, log_tail: part.log_tail() })
            .collect()
    }

    async fn inject(&self, fault: &Fault, lasts: Duration) -> Result<InjectedFault, FaultError> {
        let parts = self.running_parts();
        let driver = driver(fault, &self.switches, &parts)?;
        driver.check(lasts)?;
        let number = self.ledger.next_fault();
        self.ledger.append(UndoEntry::FaultStarting {
            fault: number,
            what: fault.to_string(),
            held_by: driver.held_by().to_owned(),
        })?;
        let asked = Timestamp::now();
        let witnessed = match driver.inject(lasts).await {
            Ok(witnessed) => witnessed,
            Err(error) => {
                // No answer is not the same as no effect.
                if let Ok(Mended { how, .. }) = driver.undo().await {
                    let how = format!("{how}, after it could not be injected");
                    self.ledger.append(UndoEntry::FaultUndone { fault: number, how })?;
                }
                return Err(error);
            }
        };
        let injected = Timestamp::now();
        if let Err(error) = self.ledger.append(UndoEntry::FaultInjected { fault: number }) {
            // What cannot be written down must not stay; its lease ends it should this fail as well.
            let _ = driver.undo().await;
            return Err(error.into());
        }
        Ok(InjectedFault { fault: fault.clone(), asked, injected, number, witnessed })
    }

    async fn undo(&self, fault: &InjectedFault) -> Result<Undone, FaultError> {
        let parts = self.running_parts();
        let driver = driver(&fault.fault, &self.switches, &parts)?;
        let asked = Timestamp::now();
        let Mended { how, witnessed, ended } = match driver.undo().await {
            Ok(mended) => mended,
            Err(_) if fault.fault.ends_with_its_part() && self.has_ended(driver.held_by()) => {
                Mended { how: format!("the end of {}", driver.held_by()), witnessed: None, ended: None }
            }
            Err(error) => return Err(error),
        };
        let (asked, undone) = ended.map_or_else(|| (asked, Timestamp::now()), |ended| (ended, ended));
        self.ledger.append(UndoEntry::FaultUndone { fault: fault.number, how })?;
        Ok(Undone { asked, undone, witnessed })
    }

    async fn down(self: Box<Self>) -> DownReport {
        let Self { parts, run, burner, .. } = *self;
        // Its fault was undone, or it is killed with the stack that it belongs to.
        drop(burner);
        let groups: BTreeSet<u32> = parts.parts().iter().flat_map(|part| part.groups()).collect();
        let mut report = parts.down().await;
        report.left.extend(sweep(&run, &groups).await);
        report
    }
}

/// Kills what the parts started themselves and left behind, and names what is still there.
async fn sweep(run: &RunId, groups: &BTreeSet<u32>) -> Vec<String> {
    let remains = || {
        let all = processes_of(run).unwrap_or_default();
        all.into_iter().filter(|process| groups.contains(&process.group)).collect::<Vec<_>>()
    };
    let look = || async {
        let left = remains();
        for process in &left {
            signal(process.identity, run, Signal::KILL);
        }
        if left.is_empty() { Probe::Ready(()) } else { Probe::NotYet(format!("{} left", left.len())) }
    };
    match Deadline::after(SWEPT_WITHIN).until("nothing of the stack is left", look).await {
        Ok(()) => Vec::new(),
        Err(_) => {
            remains().iter().map(|left| format!("{} (process {})", left.name, left.identity.pid)).collect()
        }
    }
}
