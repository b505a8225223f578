//! Trials that somebody ends before their time.

use std::path::Path;
use std::time::Duration;

use firedrill_record::{ExitOutcome, RunEventKind};
use firedrill_stack::{Deadline, Probe};
use rustix::process::Signal;

use super::ONE_AT_A_TIME;
use super::live_run::LiveRun;
use super::support::Place;

/// Trials of a short drill, the second of which has just begun beside a busy loop.
async fn second_of_three_has_begun(place: &Place) -> LiveRun {
    let mut command = place.firedrill();
    command.arg("trials").arg(place.steady_drill()).args(["--count", "3", "--busy", "1"]);
    command.arg("--out").arg(place.path("out"));
    let mut run = LiveRun::start_command(command, place.path("out"), place.path("out.log"));
    run.until(
        "the second trial has begun",
        |event| matches!(event, RunEventKind::DrillStarted { drill } if drill.as_str().ends_with("-0002")),
    )
    .await;
    run
}

fn busy_loops(run: &LiveRun) -> Vec<u32> {
    let is_one = |pid: &u32| {
        let command = std::fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline"));
        command.is_ok_and(|it| it.split(|byte| *byte == 0).any(|word| word == b"busy-loops"))
    };
    run.processes().into_iter().filter(is_one).collect()
}

#[tokio::test]
async fn trials_that_are_interrupted_show_what_was_done_and_leave_nothing() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let place = Place::new();
    let mut run = second_of_three_has_begun(&place).await;
    assert_eq!(busy_loops(&run).len(), 1);
    run.signal(Signal::INT);
    let ended = run.ended().await;
    assert_eq!(ended.code, Some(130), "{}", ended.told);
    for needed in ["1 of 1 alone", "1 as they must be", "of 2 beside 1 busy loop", "trials not run:"] {
        assert!(ended.told.contains(needed), "{needed:?} is missing in {}", ended.told);
    }
    let record = run.record();
    assert_eq!((record.exit, record.trials.len()), (ExitOutcome::Interrupted, 2));
    assert_eq!((record.trials[0].judged, record.trials[0].as_they_must_be), (1, 1));
    assert_eq!(run.processes(), [] as [u32; 0]);
    assert_eq!(place.unfinished(), [] as [&str; 0]);
}

#[tokio::test]
async fn busy_loops_end_when_the_harness_is_killed() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let place = Place::new();
    let mut run = second_of_three_has_begun(&place).await;
    assert_eq!(busy_loops(&run).len(), 1);
    run.kill();
    let ended = Deadline::after(Duration::from_secs(10))
        .until("the busy loops have ended", || {
            let left = busy_loops(&run);
            std::future::ready(if left.is_empty() {
                Probe::Ready(())
            } else {
                Probe::NotYet(format!("{left:?}"))
            })
        })
        .await;
    assert!(ended.is_ok(), "{ended:?}");
    let restored = place.firedrill().arg("restore").output().unwrap();
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    assert_eq!(run.processes(), [] as [u32; 0]);
}
