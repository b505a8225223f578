//! firedrill killed at every stage of a run, `restore` after it, and another run beside it that nobody touches.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use firedrill_drill::Fault;
use firedrill_record::RunEventKind;
use firedrill_stack::{Deadline, Probe, UndoHistory};
use rustix::process::Signal;

use super::live_run::LiveRun;
use super::support::Place;
use super::{ONE_AT_A_TIME, processes};

/// When firedrill is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Starting,
    Settling,
    FaultActive,
    TearingDown,
    /// While settling, and the restore after it, too.
    Restoring,
}

const MOMENTS: [Moment; 5] =
    [Moment::Starting, Moment::Settling, Moment::FaultActive, Moment::TearingDown, Moment::Restoring];

/// A part that is stopped is there but does not end when it is told to. It has no load, and is among the first to be
/// taken down, so that the others still live meanwhile.
const STUBBORN: &str = "chat";

/// On a busy host the alerts about the host fire by themselves: the fault does not wait for them to end.
const BREAKS: &str = "load:
  - arrivals: {name: read-profile, rate: 40/s}
timeline:
  - at: 10s
    inject: {errors: {service: user, ratio: 50%, for: 8m}}
expect:
  - alert: {name: HighErrorRate, labels: {service: user}, notified: notification-service}
  - quiet: {except: [{alertname: HighCpuUsage}, {alertname: HighLatency}]}
";

/// Long enough that the burner neither comes to its own end nor is put out while the test looks.
const BURNS: &str = "load:
  - arrivals: {name: read-profile, rate: 10/s}
timeline:
  - at: 10s
    inject: {host-cpu: {cores: 1, for: 15m}}
expect:
  - quiet: {except: [{alertname: HighCpuUsage}, {alertname: HighLatency}]}
";

const BESIDE: &str = "load:
  - arrivals: {name: read-profile, rate: 10/s}
lasts: 50m
expect:
  - truth: {counters: exact, histograms: consistent}
  - load: {achieved: 50%}
";

#[tokio::test]
async fn after_a_kill_at_any_moment_restore_leaves_nothing_of_that_run_and_all_of_another() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let place = Place::new();
    let mut beside = Beside::start(&place).await;
    let mut seen_alive = 0;
    for moment in MOMENTS {
        let run = killed_at(&place, moment).await;
        let id = run.id().unwrap();
        assert_ne!(run.processes(), [] as [u32; 0], "{moment:?}: there is nothing to restore");
        assert!(place.unfinished().contains(&id), "{moment:?}");
        if moment == Moment::Restoring {
            kill_a_restore(&place).await;
            assert_ne!(run.processes(), [] as [u32; 0], "the killed restore was already done");
        }
        beside.keep_alive(&place).await;
        let before = beside.run.processes();

        let restored = place.firedrill().arg("restore").output().unwrap();
        let told = String::from_utf8(restored.stdout).unwrap();
        assert_eq!(restored.status.code(), Some(0), "{moment:?}: {told}");
        assert!(told.contains(&format!("{id}: ")) && told.contains("processes ended"), "{moment:?}: {told}");
        assert_eq!(run.processes(), [] as [u32; 0], "{moment:?}: {told}");
        assert!(!place.unfinished().contains(&id), "{moment:?}: {told}");
        let history = UndoHistory::read(&run.out().join("undo.jsonl")).unwrap();
        assert!(history.faults.values().all(|(_, undone)| *undone), "{moment:?}: {:?}", history.faults);
        assert_eq!(history.faults.len(), usize::from(moment == Moment::FaultActive), "{moment:?}");

        // It may have come to its own end meanwhile, but to no other.
        if beside.run.has_ended().is_none() {
            assert_eq!(beside.run.processes(), before, "{moment:?}: {told}");
        }
        let alive = format!("{}: alive, not touched", beside.run.id().unwrap());
        seen_alive += usize::from(told.contains(&alive));
    }
    assert!(seen_alive > 0, "no restore saw the other run alive");
    beside.end().await;
    assert_eq!(place.unfinished(), [] as [&str; 0]);
}

#[tokio::test]
async fn what_keeps_the_host_busy_ends_with_a_killed_harness_and_restore_finds_the_rest() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let place = Place::new();
    let drill = place.drill("a-run-that-is-killed-while-it-burns", BURNS);
    let mut run = LiveRun::start(&place, &drill, "killed-burning");
    run.until("the host is kept busy", |event| matches!(event, RunEventKind::FaultInjected { .. })).await;
    let history = UndoHistory::read(&run.out().join("undo.jsonl")).unwrap();
    let burner = history.started.iter().find(|(_, part)| *part == Fault::BURNER).unwrap().0.pid;
    assert!(run.processes().contains(&burner), "there is something to end");
    run.kill();

    // Nobody tells it to: it sees its standard input end.
    let gone = || async {
        if run.processes().contains(&burner) { Probe::NotYet("alive".to_owned()) } else { Probe::Ready(()) }
    };
    Deadline::after(Duration::from_secs(10)).until("the burner has ended", gone).await.unwrap();
    assert_ne!(run.processes(), [] as [u32; 0], "the rest of the stack is for restore");

    let restored = place.firedrill().arg("restore").output().unwrap();
    let told = String::from_utf8(restored.stdout).unwrap();
    assert_eq!(restored.status.code(), Some(0), "{told}");
    assert_eq!(run.processes(), [] as [u32; 0], "{told}");
    assert_eq!(place.unfinished(), [] as [&str; 0], "{told}");
    let history = UndoHistory::read(&run.out().join("undo.jsonl")).unwrap();
    assert!(history.faults.values().all(|(_, undone)| *undone), "{:?}", history.faults);
}

/// A run of which firedrill was killed at `moment`.
async fn killed_at(place: &Place, moment: Moment) -> LiveRun {
    let out = format!("killed-{moment:?}");
    let drill = match moment {
        Moment::TearingDown => place.drill("a-run-that-is-killed-in-its-teardown", BESIDE),
        _ => place.drill("a-run-that-is-killed", BREAKS),
    };
    let mut run = LiveRun::start(place, &drill, &out);
    match moment {
        Moment::Starting => {
            run.until("a part is started", |event| matches!(event, RunEventKind::PartStarted { .. })).await;
        }
        Moment::Settling | Moment::Restoring => {
            run.until("the run settles", |event| matches!(event, RunEventKind::Settling { .. })).await;
        }
        Moment::FaultActive => {
            run.until("the fault is active", |event| matches!(event, RunEventKind::FaultInjected { .. }))
                .await;
        }
        Moment::TearingDown => {
            run.until("load runs", |event| matches!(event, RunEventKind::LoadStarted { .. })).await;
            processes::send(run.part(STUBBORN), Signal::STOP);
            run.signal(Signal::INT);
            run.until("the stack is taken down", |event| matches!(event, RunEventKind::TeardownStarted))
                .await;
        }
    }
    run.kill();
    if moment == Moment::Restoring {
        // Not before: to what is stopped when its parent ends, the kernel sends SIGHUP and SIGCONT.
        processes::send(run.part(STUBBORN), Signal::STOP);
    }
    run
}

/// Starts a restore and kills it when it has told the first process to end.
async fn kill_a_restore(place: &Place) {
    let log = place.path("restore.log");
    let output = File::create(&log).unwrap();
    let mut restore =
        place.firedrill().arg("restore").stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
    let signalled = Deadline::after(Duration::from_mins(1))
        .until("restore told a process to end", || {
            let told = read(&log);
            std::future::ready(if told.contains("SIGTERM to") {
                Probe::Ready(())
            } else {
                Probe::NotYet(told)
            })
        })
        .await;
    restore.kill().unwrap();
    let status = restore.wait().unwrap();
    signalled.unwrap();
    assert_eq!(status.code(), None, "it was killed in time: {}", read(&log));
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// The other run. It lasts longer than all restores on an idle machine; on a slower one another takes its place.
struct Beside {
    run: LiveRun,
    number: usize,
}

impl Beside {
    async fn start(place: &Place) -> Self {
        let run = Self::started(place, 1).await;
        Self { run, number: 1 }
    }

    async fn started(place: &Place, number: usize) -> LiveRun {
        let drill = place.drill("a-run-that-nobody-touches", BESIDE);
        let mut run = LiveRun::start(place, &drill, &format!("beside-{number}"));
        run.until("load runs", |event| matches!(event, RunEventKind::LoadStarted { .. })).await;
        run
    }

    async fn keep_alive(&mut self, place: &Place) {
        if self.run.has_ended().is_some() {
            self.end().await;
            self.number += 1;
            self.run = Self::started(place, self.number).await;
        }
    }

    async fn end(&mut self) {
        let ended = self.run.ended().await;
        assert_eq!(ended.code, Some(0), "the run beside: {}", ended.told);
    }
}
