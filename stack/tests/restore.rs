//! Cleaning up after runs whose owner is gone, with real processes.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use firedrill_record::RunId;
use firedrill_stack::{
    Deadline, EndedProcess, Probe, ProcessIdentity, RestoreEvent, RestoreReport, RestoredState, RunFolder,
    RunPlaces, RunRef, UndoEntry, restore_in,
};

struct Host {
    root: tempfile::TempDir,
    places: RunPlaces,
}

/// A child that is killed and waited for when the test ends, however it ends.
struct Sleeper(Child);

impl Host {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let places = RunPlaces { runs: root.path().join("runs"), state: root.path().join("state") };
        Self { root, places }
    }

    fn run(&self, number: u16) -> RunFolder {
        RunFolder::create_in(&self.places, RunId::new(jiff::Timestamp::now(), number), None).unwrap()
    }

    async fn restore(&self) -> RestoreReport {
        restore_in(&self.places, None, &|_| {}).await.unwrap()
    }

    /// Once the lock of the `dead` run is free: what is forked at this moment, by another test or by the dead owner,
    /// has it for an instant, too.
    async fn restore_dead(&self, dead: &RunId, tell: &(dyn Fn(RestoreEvent) + Send + Sync)) -> RestoreReport {
        self.restore_which_is_dead(None, dead, tell).await
    }

    async fn restore_which_is_dead(
        &self,
        which: Option<RunRef>,
        dead: &RunId,
        tell: &(dyn Fn(RestoreEvent) + Send + Sync),
    ) -> RestoreReport {
        let look = || async {
            let report = restore_in(&self.places, which.clone(), tell).await.unwrap();
            let is_live = report.runs.iter().any(|run| run.run == *dead && run.state == RestoredState::Live);
            if is_live { Probe::NotYet("live".to_owned()) } else { Probe::Ready(report) }
        };
        Deadline::after(Duration::from_secs(10)).until("the dead run is restored", look).await.unwrap()
    }
}

impl Sleeper {
    fn of(run: &RunFolder, script: &str) -> Self {
        let child = Command::new("/bin/sh")
            .args(["-c", script])
            .env("FIREDRILL_RUN", run.id().as_str())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn part(run: &RunFolder, part: &str) -> Self {
        let sleeper = Self::of(run, "exec sleep 600");
        let process = ProcessIdentity::of(sleeper.0.id()).unwrap();
        run.ledger().unwrap().append(UndoEntry::PartStarted { part: part.to_owned(), process }).unwrap();
        sleeper
    }

    /// One that ignores SIGTERM.
    fn stubborn(run: &RunFolder) -> Self {
        let mut sleeper = Self::of(run, "trap '' TERM; echo ready; while :; do sleep 600; done");
        let mut ready = [0; 6];
        sleeper.0.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
        sleeper
    }

    fn lives(&self) -> bool {
        ProcessIdentity::of(self.0.id()).is_some()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn fault(number: u64) -> UndoEntry {
    UndoEntry::FaultStarting {
        fault: number,
        what: "errors 30% on user".to_owned(),
        held_by: "user".to_owned(),
    }
}

#[tokio::test]
async fn a_run_whose_owner_died_loses_its_processes_and_faults_and_is_forgotten() {
    let host = Host::new();
    let run = host.run(0xa001);
    let (id, folder) = (run.id().clone(), run.path().to_owned());
    let known = Sleeper::part(&run, "user");
    let unknown = Sleeper::of(&run, "exec sleep 600");
    run.ledger().unwrap().append(fault(1)).unwrap();
    drop(run);

    let report = host.restore_dead(&id, &|_| {}).await;
    let [restored] = report.runs.as_slice() else { panic!("{report:?}") };
    assert_eq!((&restored.run, &restored.folder), (&id, &folder));
    let RestoredState::Restored { ended, undone, left } = &restored.state else { panic!("{report:?}") };
    let mut expected = [
        EndedProcess { part: "user".to_owned(), pid: known.0.id() },
        EndedProcess { part: "sleep".to_owned(), pid: unknown.0.id() },
    ];
    expected.sort_by_key(|one| one.pid);
    assert_eq!(ended.as_slice(), expected);
    assert_eq!(
        (undone.as_slice(), left.as_slice()),
        (["errors 30% on user".to_owned()].as_slice(), [].as_slice())
    );
    assert!(!known.lives() && !unknown.lives());
    assert_eq!(host.restore().await, RestoreReport::default(), "a second one finds nothing");
    let again = host.restore_which_is_dead(Some(RunRef::Path(folder)), &id, &|_| {}).await;
    let nothing = RestoredState::Restored { ended: vec![], undone: vec![], left: vec![] };
    assert_eq!(again.runs[0].state, nothing, "nor does one that is told where to look");
}

#[tokio::test]
async fn a_live_run_is_not_touched_while_a_dead_one_beside_it_is_cleaned_up() {
    let host = Host::new();
    let (live, dead) = (host.run(0xa002), host.run(0xa003));
    let (mine, foreign) = (Sleeper::part(&live, "user"), Sleeper::part(&dead, "user"));
    let dead_id = dead.id().clone();
    drop(dead);

    let report = host.restore_dead(&dead_id, &|_| {}).await;
    let state = |id: &RunId| &report.runs.iter().find(|run| run.run == *id).unwrap().state;
    assert_eq!(*state(live.id()), RestoredState::Live);
    assert!(
        matches!(state(&dead_id), RestoredState::Restored { ended, .. } if ended.len() == 1),
        "{report:?}"
    );
    assert!(mine.lives() && !foreign.lives());
}

#[tokio::test]
async fn a_process_that_ignores_sigterm_is_killed() {
    let host = Host::new();
    let run = host.run(0xa004);
    let (id, stubborn) = (run.id().clone(), Sleeper::stubborn(&run));
    drop(run);
    let signals = Mutex::new(Vec::new());
    let tell = |event| {
        if let RestoreEvent::ProcessSignalled { pid, signal, .. } = event {
            signals.lock().unwrap().push((pid, signal));
        }
    };
    let report = host.restore_dead(&id, &tell).await;
    assert!(report.left().is_empty() && !stubborn.lives(), "{report:?}");
    let signals = signals.into_inner().unwrap();
    let of_it: Vec<_> =
        signals.iter().filter(|(pid, _)| *pid == stubborn.0.id()).map(|(_, name)| *name).collect();
    assert_eq!(of_it, ["SIGTERM", "SIGKILL"]);
}

const RESTORER: &str = "STACK_TEST_RESTORER_FOLDER";

/// Not a test of its own: the restore that the next test starts as a process and kills.
#[tokio::test]
async fn restorer_that_is_killed() {
    let Some(root) = std::env::var_os(RESTORER) else { return };
    let root = std::path::Path::new(&root);
    let places = RunPlaces { runs: root.join("runs"), state: root.join("state") };
    restore_in(&places, None, &|event| println!("\n{event:?}")).await.unwrap();
}

#[tokio::test]
async fn a_restore_that_was_killed_is_finished_by_the_next() {
    let host = Host::new();
    let run = host.run(0xa008);
    run.ledger().unwrap().append(fault(1)).unwrap();
    let (id, stubborn) = (run.id().clone(), Sleeper::stubborn(&run));
    drop(run);
    let mut restorer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "restorer_that_is_killed", "--nocapture"])
        .env(RESTORER, host.root.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(restorer.stdout.take().unwrap()).lines();
    let signalled = lines.any(|line| line.unwrap().contains("SIGTERM"));
    let live = host.restore().await.runs[0].state.clone();
    restorer.kill().unwrap();
    restorer.wait().unwrap();
    assert!(signalled && stubborn.lives());
    assert_eq!(live, RestoredState::Live, "while another restore is at work on it");

    let report = host.restore_dead(&id, &|_| {}).await;
    assert!(report.left().is_empty() && !stubborn.lives(), "{report:?}");
    assert!(
        matches!(&report.runs[0].state, RestoredState::Restored { undone, .. } if undone.len() == 1),
        "{report:?}"
    );
    assert_eq!(host.restore().await, RestoreReport::default());
}

#[tokio::test]
async fn a_torn_last_line_of_the_ledger_hides_nothing() {
    let host = Host::new();
    let run = host.run(0xa005);
    let part = Sleeper::part(&run, "user");
    run.ledger().unwrap().append(fault(1)).unwrap();
    let (id, undo) = (run.id().clone(), run.undo());
    drop(run);
    fs::OpenOptions::new().append(true).open(undo).unwrap().write_all(b"{\"at\":\"2026-11-22T14").unwrap();

    let report = host.restore_dead(&id, &|_| {}).await;
    let RestoredState::Restored { ended, undone, .. } = &report.runs[0].state else { panic!("{report:?}") };
    assert_eq!((ended.len(), undone.len(), report.runs[0].findings.len()), (1, 1, 0), "{report:?}");
    assert!(!part.lives());
}

#[tokio::test]
async fn a_run_whose_folder_was_removed_is_live_as_long_as_its_owner_is() {
    let host = Host::new();
    let run = host.run(0xa006);
    let part = Sleeper::part(&run, "user");
    fs::remove_dir_all(run.path()).unwrap();
    let report = host.restore().await;
    assert_eq!(report.runs[0].state, RestoredState::Live, "this test is the owner");
    assert!(part.lives());
}

#[tokio::test]
async fn a_run_whose_folder_and_owner_are_gone_is_cleaned_up_by_its_mark() {
    let host = Host::new();
    let run = host.run(0xa007);
    let part = Sleeper::part(&run, "user");
    let registration = host.root.path().join("state/active").join(run.id().as_str());
    fs::write(registration, r#"{"folder":"/nowhere/at/all","owner":{"pid":1,"started":0}}"#).unwrap();
    let report = host.restore().await;
    assert!(
        matches!(&report.runs[0].state, RestoredState::Restored { ended, .. } if ended.len() == 1),
        "{report:?}"
    );
    assert!(!part.lives());
    assert_eq!(host.restore().await, RestoreReport::default());
}
