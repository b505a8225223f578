//! What is left of a run whose owner was killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use firedrill_drill::Fault;
use firedrill_stack::{Deadline, Probe, RestoredState, StackEvent, processes_of, restore_in};

use crate::rehearsal::{Rehearsal, places};

const OWNER: &str = "STACK_TEST_OWNER_FOLDER";

/// Not a test of its own: the owner that the next test starts as a process and kills.
#[tokio::test(flavor = "multi_thread")]
async fn owner_that_is_killed() {
    let Some(root) = std::env::var_os(OWNER) else { return };
    let rehearsal = Rehearsal::below(Path::new(&root), 0xb009).await;
    let say = |event| match event {
        StackEvent::PartStarted { part, .. } => println!("\nstarted {part}"),
        StackEvent::StackReady { .. } => println!("\nready"),
        _ => {}
    };
    let stack = rehearsal.up(rehearsal.plan(), say).await.unwrap();
    let fault = Fault::Errors {
        service: "user".parse().unwrap(),
        ratio: "30%".parse().unwrap(),
        lasts: Duration::from_mins(1),
    };
    stack.inject(&fault, Duration::from_mins(1)).await.unwrap();
    let kill = |part: &str| Fault::Kill { part: part.to_owned(), lasts: Duration::from_mins(1) };
    let auth = stack.inject(&kill("auth"), Duration::from_mins(1)).await.unwrap();
    stack.inject(&kill("redis"), Duration::from_mins(1)).await.unwrap();
    println!("\nkilled");
    // Not ready without Redis, it is being started again for the rest of this life.
    let undone = stack.undo(&auth).await;
    panic!("the owner outlived its death: {undone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn restore_ends_everything_of_an_owner_that_was_killed_while_starting_or_with_faults() {
    for (moment, faults) in [("started prometheus", 0), ("started chat", 0), ("killed", 3)] {
        let root = tempfile::tempdir().unwrap();
        let mut owner = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "owner::owner_that_is_killed", "--nocapture"])
            .env(OWNER, root.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
        let seen = lines.by_ref().any(|line| line.unwrap() == moment);
        owner.kill().unwrap();
        owner.wait().unwrap();
        assert!(seen, "the owner never said: {moment}");

        // What the owner was just forking has its lock for an instant, too.
        let look = || async {
            let report = restore_in(&places(root.path()), None, &|_| {}).await.unwrap();
            let is_live = report.runs.iter().any(|run| run.state == RestoredState::Live);
            if is_live { Probe::NotYet("live".to_owned()) } else { Probe::Ready(report) }
        };
        let deadline = Deadline::after(Duration::from_secs(10));
        let report = deadline.until("the run is restored", look).await.unwrap();
        let [restored] = report.runs.as_slice() else { panic!("{moment}: {report:?}") };
        let RestoredState::Restored { ended, undone, left } = &restored.state else {
            panic!("{moment}: {report:?}")
        };
        assert!(!ended.is_empty() && left.is_empty(), "{moment}: {report:?}");
        assert_eq!(undone.len(), faults, "{moment}: {report:?}");
        assert_eq!(processes_of(&restored.run).unwrap(), [], "{moment}");
    }
}
