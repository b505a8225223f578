//! Ctrl-C, once and twice.

use firedrill_record::{ExitOutcome, RunEventKind, Verdict};
use rustix::process::Signal;

use super::live_run::LiveRun;
use super::support::Place;
use super::{ONE_AT_A_TIME, processes};

const LONG: &str = "load:
  - arrivals: {name: read-profile, rate: 20/s}
lasts: 2h
expect:
  - truth: {counters: exact, histograms: consistent}
  - load: {achieved: 80%}
";

#[tokio::test]
async fn the_first_interrupt_ends_the_run_and_everything_it_started() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let place = Place::new();
    let mut run = LiveRun::start(&place, &place.drill("a-run-that-is-interrupted", LONG), "out");
    run.until("load runs", |event| matches!(event, RunEventKind::LoadStarted { .. })).await;
    run.signal(Signal::INT);
    let ended = run.ended().await;
    assert_eq!(ended.code, Some(130), "{}", ended.told);

    let record = run.record();
    assert_eq!(record.exit, ExitOutcome::Interrupted);
    let listed = record.drills.iter().map(|drill| &drill.name);
    let listed: Vec<String> =
        listed.chain(record.not_run.iter().map(|one| &one.drill)).map(ToString::to_string).collect();
    assert_eq!(listed, ["a-run-that-is-interrupted"]);
    for drill in &record.drills {
        assert!(!drill.passed, "{}", ended.told);
        for one in &drill.expectations {
            let cannot_tell = matches!(one.verdict, Verdict::NotReached | Verdict::Inconclusive);
            assert!(cannot_tell, "{}: {}", one.kind, ended.told);
        }
    }
    assert_eq!(run.processes(), [] as [u32; 0]);
    assert_eq!(place.unfinished(), [] as [&str; 0]);
}

#[tokio::test]
async fn the_second_interrupt_ends_firedrill_at_once_and_restore_does_the_rest() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let place = Place::new();
    let mut run = LiveRun::start(&place, &place.drill("a-run-that-is-interrupted-twice", LONG), "out");
    run.until("load runs", |event| matches!(event, RunEventKind::LoadStarted { .. })).await;
    // A part that does not end when it is told to: without it the teardown could be over before the second signal.
    processes::send(run.part("chat"), Signal::STOP);
    run.signal(Signal::INT);
    run.until("the run knows", |event| matches!(event, RunEventKind::InterruptReceived)).await;
    run.signal(Signal::INT);
    let ended = run.ended().await;
    assert_eq!(ended.code, Some(130), "{}", ended.told);
    assert!(ended.told.contains("`firedrill restore`"), "{}", ended.told);
    assert_ne!(run.processes(), [] as [u32; 0], "else there is nothing to restore");
    assert_eq!(place.unfinished(), [run.id().unwrap()]);

    let restored = place.firedrill().arg("restore").output().unwrap();
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    assert_eq!(run.processes(), [] as [u32; 0]);
    assert_eq!(place.unfinished(), [] as [&str; 0]);
}
