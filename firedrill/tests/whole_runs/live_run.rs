//! A firedrill that runs beside the test: followed through its events, signalled, and ended with all it started.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use firedrill_record::{EventLog, RunEventKind, RunRecord};
use firedrill_stack::{Deadline, Probe};
use rustix::process::Signal;

use super::processes;
use super::support::Place;

/// Far beyond what any moment of a run needs, also on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// A run that was started.
pub(crate) struct LiveRun {
    child: Child,
    out: PathBuf,
    log: PathBuf,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// Both of its outputs.
    pub(crate) told: String,
}

impl LiveRun {
    /// Starts `firedrill run DRILL`, its run folder `out` in `place`.
    pub(crate) fn start(place: &Place, drill: &Path, out: &str) -> Self {
        let mut command = place.firedrill();
        command.arg("run").arg(drill).arg("--out").arg(place.path(out));
        Self::start_command(command, place.path(out), place.path(&format!("{out}.log")))
    }

    /// Starts `command`, whose run folder is `out`.
    pub(crate) fn start_command(mut command: Command, out: PathBuf, log: PathBuf) -> Self {
        let output = File::create(&log).unwrap();
        let child = command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        Self { child, out, log }
    }

    /// The run folder.
    pub(crate) fn out(&self) -> &Path {
        &self.out
    }

    /// What happened so far.
    pub(crate) fn events(&self) -> Vec<RunEventKind> {
        let events = EventLog::read(&self.out.join("events.jsonl")).unwrap_or_default();
        events.into_iter().map(|event| event.kind).collect()
    }

    /// The record.
    pub(crate) fn record(&self) -> RunRecord {
        serde_json::from_str(&fs::read_to_string(self.out.join("run.json")).unwrap()).unwrap()
    }

    /// The run's identifier, once it has one.
    pub(crate) fn id(&self) -> Option<String> {
        let lock = fs::read_to_string(self.out.join("lock")).ok()?;
        Some(lock.trim().to_owned()).filter(|id| !id.is_empty())
    }

    /// Its processes that live, without firedrill itself.
    pub(crate) fn processes(&self) -> Vec<u32> {
        self.id().map(|id| processes::of_run(&id)).unwrap_or_default()
    }

    /// Waits for an event; fails when the run ends before it.
    pub(crate) async fn until(&mut self, what: &str, wanted: impl Fn(&RunEventKind) -> bool) {
        let looked = Deadline::after(PATIENCE)
            .until(what, || {
                // In this order: what a run that has ended wrote is all there.
                let ended = self.child.try_wait().unwrap();
                let events = self.events();
                std::future::ready(match (events.iter().any(&wanted), ended) {
                    (true, _) => Probe::Ready(Ok(())),
                    (false, Some(status)) => Probe::Ready(Err(status)),
                    (false, None) => Probe::NotYet(format!("{:?}", events.last())),
                })
            })
            .await;
        match looked {
            Ok(Ok(())) => {}
            Ok(Err(status)) => panic!("{what}: the run ended before it with {status}\n{}", self.told()),
            Err(passed) => panic!("{passed}\n{}", self.told()),
        }
    }

    /// The process of a part of the stack.
    pub(crate) fn part(&self, name: &str) -> u32 {
        let found = self.events().into_iter().find_map(|event| match event {
            RunEventKind::PartStarted { part, pid, .. } if part == name => pid,
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{name} was not started"))
    }

    /// Sends `signal` to firedrill alone.
    pub(crate) fn signal(&self, signal: Signal) {
        processes::send(self.child.id(), signal);
    }

    /// Ends firedrill, and nothing else, as the kernel ends who took too much memory.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How it ended, when it has.
    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> Ended {
        let status = Deadline::after(PATIENCE)
            .until("the run has ended", || {
                std::future::ready(match self.child.try_wait().unwrap() {
                    Some(status) => Probe::Ready(status),
                    None => Probe::NotYet(format!("{:?}", self.events().last())),
                })
            })
            .await;
        match status {
            Ok(status) => Ended { code: status.code(), told: self.told() },
            Err(passed) => panic!("{passed}\n{}", self.told()),
        }
    }

    /// What it said so far.
    pub(crate) fn told(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for LiveRun {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for pid in self.processes() {
            processes::send(pid, Signal::KILL);
        }
    }
}
