//! Records made by hand in the shape of real ones, of runs that ended in different ways.

use std::collections::BTreeMap;

use firedrill_record::{
    CapacityRecord, CapacityStep, DrillRecord, EvidenceRef, ExitOutcome, ExpectationRecord, FaultRecord,
    GrowthRecord, LoadRecord, MustBe, NotRun, RUN_SCHEMA, Reason, RunRecord, ScrapedTarget, Segment, Spread,
    StackRecord, TimelinePoint, TriedDrill, TriedSegment, Verdict, VerdictCount,
};
use jiff::{SignedDuration, Timestamp};

const ABOUT: &str = "A burst of 5xx from the user service pages critical, and resolves after it ends.";
const ALERT: &str = r#"HighErrorRate{service="user",severity="critical"}"#;
const SPEED: u32 = 60;

/// Seconds after the load began, on the wall.
fn after(seconds: f64) -> Timestamp {
    let began: Timestamp = "2026-11-22T14:23:06.5Z".parse().unwrap();
    began + SignedDuration::from_secs_f64(seconds)
}

fn run(drills: Vec<DrillRecord>, exit: ExitOutcome) -> RunRecord {
    RunRecord {
        schema: RUN_SCHEMA.into(),
        run: "20261122t142300z-7f3a".parse().unwrap(),
        seed: 42,
        speed: SPEED,
        started: after(-6.5),
        seconds: 34.21,
        versions: [
            ("firedrill", "0.1.0"),
            ("prometheus", "2.42.0"),
            ("alertmanager", "0.25.0"),
            ("redis", "7.0.15"),
        ]
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .into(),
        stacks: vec![StackRecord {
            backend: "process".into(),
            configuration: "default".into(),
            parts: BTreeMap::new(),
            ready_after_ms: 6130,
            left_out: BTreeMap::new(),
        }],
        drills,
        not_run: Vec::new(),
        growth: Vec::new(),
        capacity: None,
        trials: Vec::new(),
        exit,
        exit_because: None,
    }
}

/// A soak of three windows in which the user service's memory grows.
pub(crate) fn soak() -> RunRecord {
    let window = |number: u32| {
        let held = ExpectationRecord::held("truth", "counters exact", "61,204 requests over 25 routes");
        DrillRecord { faults: Vec::new(), ..drill(&format!("steady-load-{number:04}"), vec![held]) }
    };
    let mut record = run((1..=3).map(window).collect(), ExitOutcome::Failed);
    let grown = |part: &str, last: u64, verdict: Option<Verdict>| GrowthRecord {
        part: part.into(),
        quantity: "resident bytes".into(),
        base: 40 << 20,
        last,
        most: last,
        per_hour: (last - (40 << 20)) as f64 * 6.0,
        allowed: verdict.map(|_| 24 << 20),
        verdict,
        reason: verdict.filter(|one| *one != Verdict::Held).map(|_| Reason::ResourcesGrew),
        sentence: "went from 41943040 to 104857600".into(),
    };
    record.growth = vec![
        grown("auth", 41 << 20, Some(Verdict::Held)),
        grown("prometheus", 90 << 20, None),
        grown("user", 100 << 20, Some(Verdict::Violated)),
    ];
    record
}

/// A capacity run that carried 150 a second.
pub(crate) fn capacity() -> RunRecord {
    let held = || ExpectationRecord::held("truth", "counters exact", "equal");
    let names = ["reads-at-100", "reads-at-150", "reads-at-225"];
    let mut record = run(
        names.map(|name| DrillRecord { faults: Vec::new(), ..drill(name, vec![held()]) }).into(),
        ExitOutcome::Passed,
    );
    let target = |job: &str, service: &str, series| ScrapedTarget {
        job: job.into(),
        service: service.into(),
        instance: format!("{job}:1"),
        series,
        interval_seconds: 15.0,
    };
    let step = |rate, p99_ms: f64| CapacityStep {
        rate,
        achieved: 1.0,
        failed: 0.0,
        p50_ms: Some(1.2),
        p99_ms: Some(p99_ms),
        service_cpu: 0.25,
        harness_cpu: 0.1,
        truth: Verdict::Held,
        within: p99_ms <= 250.0,
    };
    let today = vec![target("services", "user", 332), target("node", "", 712)];
    record.capacity = Some(CapacityRecord {
        samples_per_day: today.iter().map(ScrapedTarget::samples_per_day).sum(),
        today,
        target_samples_per_day: 1e6,
        target_services: 10,
        service: "user".into(),
        limit_p99_ms: 250.0,
        steps: vec![step(100.0, 4.1), step(150.0, 9.0), step(225.0, 311.0)],
        carried: Some(150.0),
        ended_because: "at 225/s the 99th percentile is 311 ms, the limit 250 ms".into(),
    });
    record
}

fn tried_segment(name: &str, window: (f64, f64), observed: (f64, f64, f64), inside: u32) -> TriedSegment {
    let (least, median, greatest) = observed;
    TriedSegment {
        kind: "alert".into(),
        about: ALERT.into(),
        name: name.into(),
        earliest: window.0,
        latest: window.1,
        widest: window.1 - window.0,
        trials: 25,
        inside,
        observed: Some(Spread { least, median, greatest }),
    }
}

/// Twenty-five trials alone and as many beside busy loops, one of which was judged wrongly and one not at all.
pub(crate) fn trials() -> RunRecord {
    let name = |number: u32| format!("user-service-errors-{number:04}");
    let passed = (1..=48).map(|number| DrillRecord {
        faults: Vec::new(),
        ..drill(&name(number), vec![ExpectationRecord::held("alert", ALERT, "in time")])
    });
    let wrong = ExpectationRecord::because(
        "alert",
        ALERT,
        Reason::TooLate,
        "firing to received took 0.91s, after its latest 0.45s",
    );
    let busy = ExpectationRecord::because("quiet", "no other alert", Reason::HostBusy, "HighCpuUsage fired");
    let others = [(49, wrong), (50, busy)].map(|(number, one)| drill(&name(number), vec![one]));
    let mut record = run(passed.chain(others).collect(), ExitOutcome::Failed);
    let tried =
        |busy_loops: u32, numbers: std::ops::RangeInclusive<u32>, received_inside, latest| TriedDrill {
            drill: "user-service-errors".parse().unwrap(),
            busy_loops,
            trials: numbers.map(|number| name(number).parse().unwrap()).collect(),
            judged: 25,
            as_they_must_be: 25,
            false_verdicts: 0,
            cannot_tell: 0,
            verdicts: vec![VerdictCount {
                verdict: Verdict::Held,
                reasons: Vec::new(),
                passed: true,
                trials: 25,
            }],
            seconds: Some(Spread { least: 26.1, median: 26.9, greatest: 28.4 }),
            busy_processors: (busy_loops > 0).then_some(Spread { least: 1.71, median: 1.82, greatest: 1.9 }),
            segments: vec![
                tried_segment("cause to pending", (0.565, 2.101), (0.809, 1.082, 1.27), 25),
                tried_segment("pending to firing", (4.98, 5.45), (5.0, 5.0, 5.25), 25),
                tried_segment("firing to received", (-0.02, 0.45), (0.02, 0.036, latest), received_inside),
                tried_segment("cause ended to resolved", (3.891, 12.417), (3.932, 4.18, 11.42), 25),
            ],
        };
    let mut beside = tried(4, 26..=50, 24, 0.91);
    (beside.as_they_must_be, beside.false_verdicts, beside.cannot_tell) = (23, 1, 1);
    beside.verdicts = vec![
        VerdictCount { verdict: Verdict::Held, reasons: Vec::new(), passed: true, trials: 23 },
        VerdictCount { verdict: Verdict::Violated, reasons: vec![Reason::TooLate], passed: false, trials: 1 },
        VerdictCount {
            verdict: Verdict::Inconclusive,
            reasons: vec![Reason::HostBusy],
            passed: false,
            trials: 1,
        },
    ];
    record.trials = vec![tried(0, 1..=25, 25, 0.12), beside];
    record
}

/// Trials of which only one was judged.
pub(crate) fn interrupted_trials() -> RunRecord {
    let mut record = trials();
    record.drills.truncate(1);
    record.trials.truncate(1);
    record.not_run = record.trials[0]
        .trials
        .iter()
        .skip(1)
        .map(|trial| NotRun { drill: trial.clone(), why: "the run was interrupted".into() })
        .collect();
    let tried = &mut record.trials[0];
    (tried.judged, tried.as_they_must_be, tried.verdicts[0].trials) = (1, 1, 1);
    tried.segments.clear();
    record.exit = ExitOutcome::Interrupted;
    record.exit_because = Some("the run was interrupted".into());
    record
}

fn drill(name: &str, expectations: Vec<ExpectationRecord>) -> DrillRecord {
    let verdict = Verdict::worst(expectations.iter().map(|one| one.verdict));
    DrillRecord {
        name: name.parse().unwrap(),
        about: ABOUT.into(),
        file: format!("scenarios/catalog/services/{name}.yaml"),
        load_began: Some(after(0.0)),
        seconds: 27.94,
        verdict,
        must_be: None,
        passed: verdict == Verdict::Held,
        faults: vec![FaultRecord {
            what: "errors 30% on user".into(),
            asked: after(2.0),
            injected: Some(after(2.004)),
            undo_asked: Some(after(10.0)),
            undone: Some(after(10.003)),
            proof: Some(
                "412 of 1,371 requests to user ended with 5xx (30.1%), 0 of 340 in the 2 s before".into(),
            ),
            witnessed: None,
            problem: None,
        }],
        load: LoadRecord {
            seconds: 22.4,
            requests: 12_345,
            unknown: 0,
            failed: 1204,
            latency_ms: [("p50".to_owned(), 1.24), ("p99".to_owned(), 8.91)].into(),
            messages_sent: 447,
            messages_lost: 0,
            arrivals: Vec::new(),
        },
        parts: Vec::new(),
        scraped: Vec::new(),
        expectations,
    }
}

fn segment(name: &str, window: (f64, f64), observed: Option<f64>, computed_from: &str) -> Segment {
    Segment {
        name: name.into(),
        earliest: window.0,
        latest: window.1,
        observed,
        computed_from: computed_from.into(),
    }
}

fn point(what: &str, seconds: f64, source: &str) -> TimelinePoint {
    TimelinePoint {
        what: what.into(),
        at: after(seconds),
        drill_time: seconds * f64::from(SPEED),
        source: source.into(),
    }
}

fn evidence(file: &str) -> EvidenceRef {
    EvidenceRef { file: file.into(), shows: "a raw reply".into() }
}

fn alert_held() -> ExpectationRecord {
    let mut alert = ExpectationRecord::held(
        "alert",
        ALERT,
        "fired 5.9 s after the fault, reached notification-service 0.3 s later and resolved 4.4 s after its end",
    );
    alert.segments = vec![
        segment(
            "cause to pending",
            (0.69, 1.47),
            Some(0.914),
            "0.05 of the ratio 0.30 in a window of 5 s is crossed after 0.833 s, a scrape and an evaluation of 0.25 s each come on top",
        ),
        segment("pending to firing", (5.0, 5.2), Some(5.0), "`for` 5 s is 20 evaluations of 0.25 s"),
        segment("firing to delivered", (0.0, 0.7), Some(0.312), "group_wait 0.5 s + 0.2 s"),
    ];
    alert.timeline = vec![
        point("fault injected", 2.004, "harness"),
        point("pending", 2.918, "Prometheus"),
        point("firing", 7.918, "Prometheus"),
        point("delivered", 8.23, "notification-service"),
        point("fault undone", 10.003, "harness"),
        point("resolved", 14.418, "Prometheus"),
    ];
    alert.evidence = vec![evidence("alerts-samples.json"), evidence("notifications.json")];
    alert
}

fn truth_held() -> ExpectationRecord {
    let mut truth = ExpectationRecord::held(
        "truth",
        "counters exact",
        "63 of 63 counters equal the ledger over 41,022 requests",
    );
    truth.findings = vec!["gateway: 12,345 requests, the upstream counters agree".into()];
    truth.evidence = vec![
        evidence("counters-before.json"),
        evidence("counters-after.json"),
        evidence("alerts-samples.json"),
    ];
    truth
}

/// The alert came and went in time.
pub(crate) fn held() -> RunRecord {
    let quiet = ExpectationRecord::held(
        "quiet",
        "nothing else",
        "no other alert fired and nothing else was notified",
    );
    run(
        vec![drill("user-service-errors-page-the-team", vec![alert_held(), quiet, truth_held()])],
        ExitOutcome::Passed,
    )
}

fn never_fired() -> ExpectationRecord {
    let mut alert = alert_held();
    alert.verdict = Verdict::Violated;
    alert.reason = Some(Reason::ForReset);
    alert.sentence = "pending at +2m55s, inactive again at +5m12s: the ratio fell to 0.043 under 0.05 before `for` had passed".into();
    alert.hint = Some(
        "the fault holds the ratio at 0.30; look for a second instance that answers without errors".into(),
    );
    alert.segments[1].observed = None;
    alert.segments[2].observed = None;
    alert.timeline.truncate(2);
    alert
}

/// The alert was pending and never fired.
pub(crate) fn violated() -> RunRecord {
    let quiet = ExpectationRecord::because(
        "quiet",
        "nothing else",
        Reason::UnexpectedAlert,
        r#"HighLatency{service="gateway"} fired at +4m10s and nobody expected it"#,
    );
    let mut record = run(
        vec![drill("user-service-errors-page-the-team", vec![never_fired(), quiet, truth_held()])],
        ExitOutcome::Failed,
    );
    record.stacks[0]
        .left_out
        .insert("NodeLoadHigh".into(), "node_load5 is an average that the kernel makes in real time".into());
    record
}

/// The fault had no effect, so nothing can be said of the alert.
pub(crate) fn inconclusive() -> RunRecord {
    let mut alert = ExpectationRecord::because(
        "alert",
        ALERT,
        Reason::FaultWithoutEffect,
        "0 of 1,371 requests to user ended with 5xx although the switch answered 200",
    );
    alert.hint = Some("is the fault switch of the user service on this address?".into());
    let mut one = drill("user-service-errors-page-the-team", vec![alert, truth_held()]);
    one.faults[0].proof = None;
    let mut record = run(vec![one], ExitOutcome::CannotTell);
    record.not_run = vec![NotRun {
        drill: "killed-redis-pages-the-team".parse().unwrap(),
        why: "it requires the docker stack and the process stack was asked for".into(),
    }];
    record
}

/// A drill about the judge that saw what it must, and one that did not.
pub(crate) fn must_be() -> RunRecord {
    let must = Some(MustBe { verdict: Verdict::Violated, reason: Some(Reason::RuleAbsent) });
    let absent = ExpectationRecord::because(
        "alert",
        ALERT,
        Reason::RuleAbsent,
        "none of the 7 loaded alerting rules is named HighErrorRate",
    );
    let mut seen = drill("a-deleted-rule-is-seen", vec![absent]);
    (seen.must_be, seen.passed, seen.faults, seen.load_began) = (must, true, Vec::new(), None);
    let mut unseen =
        drill("a-deleted-rule-is-seen-again", vec![ExpectationRecord::held("alert", ALERT, "fired in time")]);
    (unseen.must_be, unseen.passed) = (must, false);
    run(vec![seen, unseen], ExitOutcome::Failed)
}

/// A signal ended the run while the fault was active.
pub(crate) fn interrupted() -> RunRecord {
    let mut alert = ExpectationRecord::because(
        "alert",
        ALERT,
        Reason::Interrupted,
        "the run was interrupted at +3m02s, while the alert was pending",
    );
    alert.timeline = alert_held().timeline[..2].to_vec();
    let mut record =
        run(vec![drill("user-service-errors-page-the-team", vec![alert])], ExitOutcome::Interrupted);
    record.exit_because = Some("SIGINT at 12.1 s; the fault was undone and every part ended".into());
    record
}

/// A drill held, another one did not run, and that was forbidden.
pub(crate) fn not_run_though_it_must() -> RunRecord {
    let mut record = held();
    record.not_run = inconclusive().not_run;
    record.exit = ExitOutcome::CannotTell;
    record.exit_because = Some("1 drill was not run".into());
    record
}

/// A drill of which nothing was judged.
pub(crate) fn nothing_judged() -> RunRecord {
    run(vec![drill("user-service-errors-page-the-team", Vec::new())], ExitOutcome::CannotTell)
}

/// A violation in which every text that can come from elsewhere is `text`.
pub(crate) fn telling(text: &str) -> RunRecord {
    let mut record = violated();
    record.exit_because = Some(text.into());
    record.versions.insert(text.into(), text.into());
    record.stacks[0].configuration = text.into();
    record.stacks[0].left_out.insert(text.into(), text.into());
    record.not_run = inconclusive().not_run;
    record.not_run[0].why = text.into();
    let drill = &mut record.drills[0];
    drill.about = text.into();
    drill.file = text.into();
    drill.load.latency_ms.insert(text.into(), 1.0);
    let fault = &mut drill.faults[0];
    fault.what = text.into();
    fault.proof = Some(text.into());
    fault.witnessed = Some(text.into());
    fault.problem = Some(text.into());
    let alert = &mut drill.expectations[0];
    for place in [&mut alert.kind, &mut alert.about, &mut alert.sentence] {
        *place = text.into();
    }
    alert.hint = Some(text.into());
    alert.findings = vec![text.into()];
    alert.evidence[0].file = text.into();
    alert.segments[0].name = text.into();
    alert.segments[0].computed_from = text.into();
    alert.timeline[0].what = text.into();
    alert.timeline[0].source = text.into();
    record
}

/// Prometheus did not start.
pub(crate) fn stack_not_up() -> RunRecord {
    let mut record = run(Vec::new(), ExitOutcome::StackNotUp);
    record.seconds = 1.37;
    record.stacks = Vec::new();
    record.not_run = vec![NotRun {
        drill: "user-service-errors-page-the-team".parse().unwrap(),
        why: "the stack could not be set up".into(),
    }];
    record.exit_because =
        Some("prometheus ended with exit code 1 before it was ready: listen tcp 127.0.0.1:9090: bind: address already in use".into());
    record
}
