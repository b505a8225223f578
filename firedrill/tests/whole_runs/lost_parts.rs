//! A part of the stack that dies in the middle of a run: nothing may be said to hold.

use firedrill_record::{Reason, RunEventKind, Verdict};
use rustix::process::Signal;

use super::live_run::LiveRun;
use super::support::Place;
use super::{ONE_AT_A_TIME, processes};

const BREAKS: &str = "load:
  - arrivals: {name: read-profile, rate: 40/s}
timeline:
  - at: 10s
    inject: {errors: {service: user, ratio: 50%, for: 8m}}
expect:
  - alert: {name: HighErrorRate, labels: {service: user}, notified: notification-service}
  - truth: {counters: exact, histograms: consistent}
  - load: {achieved: 80%}
  - quiet: {except: [{alertname: HighCpuUsage}, {alertname: HighLatency}]}
";

async fn cannot_be_judged_without(part: &str) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let place = Place::new();
    let drill = place.drill("a-run-that-loses-a-part", BREAKS);
    let mut run = LiveRun::start(&place, &drill, "out");
    run.until("load runs", |event| matches!(event, RunEventKind::LoadStarted { .. })).await;
    processes::send(run.part(part), Signal::KILL);
    let ended = run.ended().await;
    assert_eq!(ended.code, Some(4), "{}", ended.told);

    let record = run.record();
    let [drill] = record.drills.as_slice() else { panic!("{:?}", record.not_run) };
    assert_eq!((drill.verdict, drill.passed), (Verdict::Inconclusive, false), "{}", ended.told);
    for one in &drill.expectations {
        assert_eq!(one.verdict, Verdict::Inconclusive, "{}: {}", one.kind, one.sentence);
    }
    let lost = drill.expectations.iter().filter(|one| one.reason == Some(Reason::StackLost));
    assert!(lost.clone().any(|one| one.sentence.contains(part)), "{}", ended.told);
    assert_eq!(run.processes(), [] as [u32; 0]);
    assert_eq!(place.unfinished(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_run_that_loses_redis_is_inconclusive() {
    cannot_be_judged_without("redis").await;
}

#[tokio::test]
async fn a_run_that_loses_prometheus_is_inconclusive() {
    cannot_be_judged_without("prometheus").await;
}
