//! What a valid text means.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firedrill_drill::{
    Action, AlertOutcome, BadMetrics, Body, Drill, DrillProblems, Expectation, FanOutStatus, Fault,
    FolderSurroundings, FoundJourney, Load, Surroundings, Timed, load_drill, parse_drill, parse_journey,
};
use firedrill_record::{MustBe, Reason, Verdict};

const JOURNEY: &str = "
journey: visit
about: One request.
pace: {at_least: 10ms, at_most: 20ms}
setup:
  - step: log in
    request: POST gateway /login?long=1
    body: {name: '{user}', tags: ['{unique}', 7]}
    expect: [200, 201]
    capture: {token: /token}
    fan_out:
      - {request: POST auth /login, status: same}
      - {request: 'GET auth /users/{name}', status: 200, when: [404]}
steps:
  - step: read
    request: GET gateway /items/{token}
    route: /items/:id
    headers: {authorization: 'Bearer {token}'}
    expect: [200]
    timeout: 2s
";

struct OneJourney(String);

impl Surroundings for OneJourney {
    fn journey(&self, name: &str) -> io::Result<FoundJourney> {
        Ok(match name {
            "visit" => FoundJourney::Text { file: "journeys/visit.yaml".into(), text: self.0.clone() },
            _ => FoundJourney::Absent { known: vec!["visit".to_owned()] },
        })
    }

    fn config(&self, folder: &str) -> Option<PathBuf> {
        Some(Path::new("somewhere").join(folder))
    }
}

fn drill(rest: &str) -> Result<Drill, DrillProblems> {
    drill_of(JOURNEY, rest)
}

fn drill_of(journey: &str, rest: &str) -> Result<Drill, DrillProblems> {
    let head = "drill: d\nabout: It works.\nload: [journey: {name: visit, users: 3}]\n";
    parse_drill(&format!("{head}{rest}"), Path::new("d.yaml"), &OneJourney(journey.to_owned()))
}

#[test]
fn a_drill_without_a_fault_means_what_it_says() {
    let drill = drill("lasts: 1m30s\nspeed: 30\nrequires: [process]\nexpect: [quiet: {}]\n").unwrap();
    assert_eq!((drill.lasts, drill.limit, drill.speed), (Some(Duration::from_secs(90)), None, Some(30)));
    assert_eq!(drill.file, Path::new("d.yaml"));
    let [Load::Journey { journey, users: 3 }] = drill.load.as_slice() else { panic!("{:?}", drill.load) };
    assert_eq!(journey.name, "visit");
}

#[test]
fn a_timeline_is_ordered_by_time_and_a_fault_may_begin_when_another_ends() {
    let drill = drill(
        "config: overlay\nmust_be: {verdict: violated, reason: muted}\ntimeline:
  - {at: 9m, inject: {errors: {service: user, ratio: 1%, for: 1m}}}
  - {at: 8m, inject: {errors: {service: user, ratio: 30%, for: 1m}}}
  - {at: 8m, inject: {errors: {service: auth, ratio: 100%, for: 1m}}}
expect: [alert: {name: Slow, labels: {code: 500}, notified: team}]\n",
    )
    .unwrap();
    let minutes: Vec<u64> = drill.timeline.iter().map(|timed| timed.at.as_secs() / 60).collect();
    assert_eq!(minutes, [8, 8, 9]);
    let Action::Inject(first) = &drill.timeline[0].action;
    assert_eq!(first.to_string(), "errors 30% on user");
    let Expectation::Alert(alert) = &drill.expect[0] else { panic!("{:?}", drill.expect) };
    assert_eq!(alert.labels, BTreeMap::from([("code".to_owned(), "500".to_owned())]));
    assert_eq!(drill.config.as_deref(), Some(Path::new("somewhere/overlay")));
    assert_eq!(drill.must_be, Some(MustBe { verdict: Verdict::Violated, reason: Some(Reason::Muted) }));
}

#[test]
fn a_journey_means_what_it_says() {
    let journey = parse_journey(JOURNEY, Path::new("visit.yaml")).unwrap();
    let (login, read) = (&journey.setup[0], &journey.steps[0]);
    assert_eq!((login.path.as_str(), login.route.route.as_str()), ("/login?long=1", "/login"));
    assert_eq!((read.path.as_str(), read.route.route.as_str()), ("/items/{token}", "/items/:id"));
    assert_eq!((login.timeout, read.timeout), (Duration::from_secs(5), Duration::from_secs(2)));
    let body = serde_json::json!({"name": "{user}", "tags": ["{unique}", 7]});
    assert_eq!(login.body, Some(Body::Json(body)));
    assert_eq!((login.capture[0].name.as_str(), login.capture[0].pointer.as_str()), ("token", "/token"));
    assert_eq!((login.fan_out[1].status, &login.fan_out[1].when), (FanOutStatus::Fixed(200), &vec![404]));
}

#[test]
fn a_fan_out_happens_under_the_expected_answers_and_500_unless_it_says_otherwise() {
    let journey = parse_journey(JOURNEY, Path::new("visit.yaml")).unwrap();
    assert_eq!(journey.setup[0].fan_out[0].when, [200, 201, 500]);
}

/// Under which answers the requests that the log-in of `journey` implies were certainly made, during `fault`.
fn certain_in(journey: &str, fault: &str) -> [Vec<u16>; 2] {
    let text = format!("timeline: [{{at: 1m, inject: {{{fault}, for: 1m}}}}}}]\nexpect: [quiet: {{}}]\n");
    let drill = drill_of(journey, &text).unwrap();
    let Load::Journey { journey, .. } = &drill.load[0] else { panic!("{:?}", drill.load) };
    let fan_out = &journey.setup[0].fan_out;
    [fan_out[0].when.clone(), fan_out[1].when.clone()]
}

fn certain(fault: &str) -> [Vec<u16>; 2] {
    certain_in(JOURNEY, fault)
}

#[test]
fn a_500_of_a_service_that_the_drill_breaks_implies_no_request_of_its_own() {
    assert_eq!(certain("errors: {service: auth, ratio: 10%")[0], [200, 201, 500]);
    assert_eq!(certain("errors: {service: gateway, ratio: 10%")[0], [200, 201]);
}

#[test]
fn a_failure_implies_nothing_where_a_fault_lets_a_service_fail_by_itself_and_other_answers_still_do() {
    let failing = [
        "hang: {service: gateway",
        "hang: {service: auth",
        "refuse: {service: gateway",
        "refuse: {service: auth",
        "slow-body: {service: auth, takes: 2s",
        "latency: {service: auth, added: 2s",
        "kill: {part: gateway",
        "kill: {part: auth",
        "kill: {part: redis",
    ];
    for fault in failing {
        assert_eq!(certain(fault), [vec![200, 201], vec![404]], "{fault}");
    }
    let answering = [
        "slow-body: {service: gateway, takes: 2s",
        "latency: {service: gateway, added: 2s",
        "hang: {service: user",
        "memory: {service: auth, grow: 1MiB",
        "cpu: {service: auth, busy: 50%",
        "bad-metrics: {service: auth, how: garbage",
    ];
    for fault in answering {
        assert_eq!(certain(fault), [vec![200, 201, 500], vec![404]], "{fault}");
    }
}

#[test]
fn an_error_that_is_remade_instead_of_relayed_implies_nothing() {
    let journey = JOURNEY.replace("when: [404]", "when: [404, 500]");
    assert_eq!(certain_in(&journey, "errors: {service: auth, ratio: 10%"), [vec![200, 201], vec![404]]);
    assert_eq!(
        certain_in(&journey, "errors: {service: user, ratio: 10%"),
        [vec![200, 201, 500], vec![404, 500]]
    );
}

#[test]
fn every_fault_means_what_it_says() {
    let drill = drill(
        "lasts: 20m
timeline:
  - {at: 1m, inject: {latency: {service: chat, added: 800ms, route: '/rooms/{room}', for: 1m}}}
  - {at: 1m, inject: {slow-body: {service: chat, takes: 2s, for: 1m}}}
  - {at: 1m, inject: {memory: {service: user, grow: 64MiB, for: 1m}}}
  - {at: 1m, inject: {cpu: {service: user, busy: 50%, for: 1m}}}
  - {at: 1m, inject: {bad-metrics: {service: user, how: wrong-labels, for: 1m}}}
  - {at: 1m, inject: {hang: {service: user, for: 1m}}}
  - {at: 2m, inject: {refuse: {service: user, for: 1m}}}
  - {at: 3m, inject: {kill: {part: redis, for: 90s}}}
  - {at: 4m, inject: {host-cpu: {for: 1m}}}
  - {at: 5m, inject: {host-cpu: {cores: 2, for: 1m}}}
  - {at: 4m, inject: {gauge: {value: 1.5, for: 1m}}}
  - {at: 5m, inject: {gauge: {name: depth, value: -1, for: 1m}}}
expect: [alert: {name: HighErrorRate, inhibited_by: ServiceDown}]\n",
    )
    .unwrap();
    assert_eq!(drill.lasts, Some(Duration::from_mins(20)), "beside faults, too");
    let service = |name: &str| name.parse().unwrap();
    let lasts = Duration::from_mins(1);
    let faults: Vec<&Fault> =
        drill.timeline.iter().map(|Timed { action: Action::Inject(fault), .. }| fault).collect();
    let expected = [
        Fault::Latency {
            service: service("chat"),
            added: Duration::from_millis(800),
            route: Some("/rooms/{room}".to_owned()),
            lasts,
        },
        Fault::SlowBody { service: service("chat"), takes: Duration::from_secs(2), lasts },
        Fault::Memory { service: service("user"), grow: 64 << 20, lasts },
        Fault::Cpu { service: service("user"), busy: "50%".parse().unwrap(), lasts },
        Fault::BadMetrics { service: service("user"), how: BadMetrics::WrongLabels, lasts },
        Fault::Hang { service: service("user"), lasts },
        Fault::Refuse { service: service("user"), lasts },
        Fault::Kill { part: "redis".to_owned(), lasts: Duration::from_secs(90) },
        Fault::HostCpu { cores: None, lasts },
        Fault::Gauge { name: Fault::DEFAULT_GAUGE.to_owned(), value: 1.5, lasts },
        Fault::HostCpu { cores: Some(2), lasts },
        Fault::Gauge { name: "depth".to_owned(), value: -1.0, lasts },
    ];
    assert_eq!(faults, expected.iter().collect::<Vec<_>>());
    let [Expectation::Alert(alert)] = drill.expect.as_slice() else { panic!("{:?}", drill.expect) };
    assert_eq!(alert.outcome, AlertOutcome::InhibitedBy("ServiceDown".parse().unwrap()));
}

#[test]
fn problems_of_a_journey_that_is_used_twice_are_told_once_and_after_those_of_the_drill() {
    let folder = tempfile::tempdir().unwrap();
    let journeys = folder.path().join("journeys");
    let drills = folder.path().join("catalog/area");
    std::fs::create_dir_all(&journeys).unwrap();
    std::fs::create_dir_all(&drills).unwrap();
    std::fs::write(journeys.join("visit.yaml"), JOURNEY.replace("capture", "headers")).unwrap();
    let drill = drills.join("d.yaml");
    let load = "load:\n  - journey: {name: visit, users: 1}\n  - arrivals: {name: visit, rate: 1}\n";
    std::fs::write(&drill, format!("drill: d\nabout: x\nlasts: 1m\n{load}expect: [quiet: {{}}]\n")).unwrap();
    let problems = load_drill(&drill).unwrap_err();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let missing = "nothing gives `{token}` a value".to_owned();
    assert_eq!(told, ["`1` is not a rate".to_owned(), missing.clone(), missing]);
    assert_eq!(problems.iter().nth(1).unwrap().file(), journeys.join("visit.yaml"));
}

#[test]
fn a_journey_is_never_looked_for_outside_its_folder() {
    let surroundings = FolderSurroundings::of(Path::new("../../scenarios/catalog/services/any.yaml"));
    let found = surroundings.journey("../journeys/read-profile").unwrap();
    assert!(matches!(found, FoundJourney::Absent { .. }), "{found:?}");
}
