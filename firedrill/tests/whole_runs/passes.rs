//! A drill that passes, what can be made of its record, and what must not be in it.

use std::fs;
use std::path::{Path, PathBuf};

use firedrill_record::{EventLog, ExitOutcome, RunEventKind, RunRecord, Verdict};

use super::ONE_AT_A_TIME;
use super::live_run::LiveRun;
use super::support::Place;

/// What a shell may hold; one variable's name says that it is a secret, the other one's does not.
const CANARIES: [(&str, &str); 2] =
    [("CANARY", "yellow-bird-4711-sings"), ("MY_API_TOKEN", "tok-canary-0815-e2e")];

#[tokio::test]
async fn a_drill_passes_and_its_record_is_reported_and_judged_the_same_again_without_any_secret() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let place = Place::new();
    let drill = place.steady_drill();
    // A secret that got into the drill would be copied from there into the plan and the record.
    let text = fs::read_to_string(&drill).unwrap();
    fs::write(&drill, text.replace("by a test", &format!("by a test with {}", CANARIES[1].1))).unwrap();
    let mut command = place.firedrill();
    command.arg("run").arg(drill).arg("--out").arg(place.path("out")).envs(CANARIES);
    let mut run = LiveRun::start_command(command, place.path("out"), place.path("out.log"));
    let ended = run.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.told);

    let record = run.record();
    assert_eq!((record.exit, record.drills.len()), (ExitOutcome::Passed, 1));
    assert_eq!((record.drills[0].verdict, record.drills[0].passed), (Verdict::Held, true));
    let events = EventLog::read(&place.path("out/events.jsonl")).unwrap();
    assert!(matches!(events[0].kind, RunEventKind::RunStarted { .. }), "{events:?}");
    assert!(matches!(events.last().unwrap().kind, RunEventKind::RunEnded { exit: ExitOutcome::Passed, .. }));
    assert_eq!(run.processes(), [] as [u32; 0]);
    assert_eq!(place.unfinished(), [] as [&str; 0]);

    assert_eq!(record.drills[0].about, "It is run by a test with [redacted].");

    let judged = place.firedrill().arg("judge").arg(run.out()).output().unwrap();
    let told = String::from_utf8(judged.stdout).unwrap();
    assert_eq!(judged.status.code(), Some(0), "{told}");
    assert!(told.contains("judged again from the evidence: the same verdicts"), "{told}");

    let reported = place.firedrill().arg("report").arg(run.out()).args(["--json", "-"]).output().unwrap();
    assert_eq!(reported.status.code(), Some(0));
    assert_eq!(serde_json::from_slice::<RunRecord>(&reported.stdout).unwrap(), record);

    let mut telling = files_that_hold(&CANARIES, run.out());
    if CANARIES.iter().any(|(_, secret)| ended.told.contains(secret)) {
        telling.push("what it printed".into());
    }
    assert_eq!(telling, [] as [PathBuf; 0]);
}

fn files_that_hold(secrets: &[(&str, &str)], folder: &Path) -> Vec<PathBuf> {
    let mut telling = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            telling.extend(files_that_hold(secrets, &path));
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let holds = |secret: &str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        if secrets.iter().any(|(_, secret)| holds(secret)) {
            telling.push(path);
        }
    }
    telling
}
