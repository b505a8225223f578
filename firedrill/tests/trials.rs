//! The command lines of `trials` and `compare`, without a stack.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod support;

use std::process::{Command, Stdio};

use assert_cmd::assert::{Assert, OutputAssertExt};
use support::Place;

fn told(assert: &Assert) -> String {
    let output = assert.get_output();
    String::from_utf8([output.stdout.clone(), output.stderr.clone()].concat()).unwrap()
}

#[test]
fn what_was_typed_wrongly_is_refused() {
    let place = Place::new();
    let drill = place.steady_drill();
    let drill = drill.to_str().unwrap();
    let long = "a".repeat(96);
    let long = place.drill(
        &long,
        "load:\n  - arrivals: {name: read-profile, rate: 40/s}\nlasts: 1m\nexpect:\n  - quiet: {}\n",
    );
    let cases: &[(&[&str], &str)] = &[
        (&["trials", "--count", "3"], "<DRILL>"),
        (&["trials", drill], "--count <N>"),
        (&["trials", drill, "--count", "0"], "0 is not in 1..=9999"),
        (&["trials", drill, "--count", "2", "--busy", "0"], "0 is not in 1..=64"),
        (&["trials", drill, "--count", "2", "--speed", "61"], "61 is not in 1..=60"),
        (&["trials", "nowhere.yaml", "--count", "2"], "nowhere.yaml cannot be read"),
        (&["trials", long.to_str().unwrap(), "--count", "2"], "too long for a name of a trial"),
        (&["compare", "latest"], "<OTHER>"),
        (&["compare", "no/such/run", "latest"], "hint: a run is its folder, its id, or `latest`"),
    ];
    let mut wrong = Vec::new();
    for (arguments, needed) in cases {
        let assert = place.firedrill().args(*arguments).assert();
        let told = told(&assert);
        if assert.get_output().status.code() != Some(2) || !told.contains(needed) {
            wrong.push(format!("{arguments:?}: {}, {told}", assert.get_output().status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!place.path("state").exists(), "no run was registered");
}

#[test]
fn help_has_examples_and_exit_codes_and_hides_the_loops() {
    let place = Place::new();
    for command in ["trials", "compare"] {
        let text = told(&place.firedrill().args([command, "--help"]).assert().code(0));
        assert!(text.contains("Examples:\n  firedrill") && text.contains("Exit codes"), "{text}");
    }
    let all = told(&place.firedrill().arg("--help").assert().code(0));
    assert!(all.contains("  trials ") && all.contains("  compare ") && !all.contains("busy-loops"), "{all}");
}

#[test]
fn the_drills_of_the_recipe_are_valid() {
    let place = Place::new();
    let trials = Place::workspace().join("scenarios/trials");
    let checked = told(&place.firedrill().arg("check").arg(trials).assert().code(0));
    assert!(checked.starts_with("2 drills"), "{checked}");
}

#[test]
fn trials_that_could_not_run_are_counted_and_reported_again() {
    let place = Place::new();
    std::fs::create_dir(place.path("empty")).unwrap();
    let mut command = place.firedrill();
    command.env("PATH", place.path("empty")).arg("trials").arg(place.steady_drill());
    let assert = command.args(["--count", "3", "--busy", "2", "--json", "trials.json"]).assert().code(3);
    let text = told(&assert);
    for needed in ["0 of 1 alone", "0 of 2 beside 2 busy loops", "3 trials: the stack could not be set up"] {
        assert!(text.contains(needed), "{needed:?} is missing in {text}");
    }
    assert_eq!(place.unfinished(), [] as [&str; 0]);
    let json = std::fs::read_to_string(place.path("trials.json")).unwrap();
    assert!(json.contains("\"false_verdicts\": 0") && json.contains("steady-load-is-counted-0003"), "{json}");
    let again = told(&place.firedrill().args(["judge", "latest"]).assert().code(3));
    assert!(again.contains("0 of 2 beside 2 busy loops"), "{again}");
}

#[test]
fn busy_loops_end_with_their_standard_input_and_after_their_time() {
    let place = Place::new();
    let loops = |most: &str| -> Command {
        let mut command = place.firedrill();
        command.args(["busy-loops", "--loops", "1", "--most", most]);
        command
    };
    loops("1h").stdin(Stdio::null()).assert().code(0);
    let mut child = loops("50ms").stdin(Stdio::piped()).spawn().unwrap();
    // Waiting would close it.
    let open = child.stdin.take();
    assert!(child.wait().unwrap().success());
    drop(open);
}
