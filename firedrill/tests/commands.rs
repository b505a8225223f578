//! The command line without a stack: what each command says, and what bad input gets.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::assert::{Assert, OutputAssertExt};
use support::Place;

const CATALOG: &str = "scenarios/catalog";

fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

fn stderr(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

fn drills_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(drills_below(&path));
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A run that ends before its stack starts: no program of it is to be found.
fn run_without_programs(place: &Place) -> Command {
    fs::create_dir(place.path("empty")).unwrap();
    let mut command = place.firedrill();
    command.env("PATH", place.path("empty")).arg("run").arg(place.steady_drill());
    command
}

/// Whether `text` names a place as `file:line:column`.
fn names_a_place(text: &str) -> bool {
    text.match_indices(".yaml:").any(|(at, found)| {
        let mut numbers = text[at + found.len()..].splitn(2, ':');
        let line = numbers.next().unwrap_or_default();
        let column: String =
            numbers.next().unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
        line.parse::<u32>().is_ok() && column.parse::<u32>().is_ok()
    })
}

#[test]
fn help_has_examples_and_every_exit_code() {
    let place = Place::new();
    let text = stdout(&place.firedrill().arg("--help").assert().code(0));
    for needed in ["Examples:\n  firedrill run scenarios/", "Exit codes:"] {
        assert!(text.contains(needed), "{needed:?} is missing in {text}");
    }
    for code in ["0", "1", "2", "3", "4", "5", "130"] {
        assert!(
            text.lines().any(|line| line.trim_start().starts_with(&format!("{code} "))),
            "{code}: {text}"
        );
    }
}

#[test]
fn every_broken_drill_is_refused_at_its_place_with_a_caret_and_nothing_is_started() {
    let place = Place::new();
    let invalid = Place::workspace().join("scenarios/invalid");
    let drills: Vec<PathBuf> = drills_below(&invalid)
        .into_iter()
        .filter(|path| path.parent().unwrap().file_name().unwrap() != "journeys")
        .collect();
    assert!(drills.len() > 40, "{} drills below {}", drills.len(), invalid.display());
    let mut wrong = Vec::new();
    for drill in drills {
        let assert = place.firedrill().arg("run").arg(&drill).args(["--out", "out"]).assert();
        let (code, told) = (assert.get_output().status.code(), stderr(&assert));
        let has_caret = told.contains('┬') || told.contains('▲');
        if code != Some(2) || !names_a_place(&told) || !has_caret || !told.contains("nothing was started") {
            wrong.push(format!("{}: exit {code:?}\n{told}", drill.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!place.path("out").exists() && !place.path(".firedrill").exists());
    assert!(!place.path("state").exists(), "no run was registered");
}

#[test]
fn all_problems_of_all_drills_are_told_at_once() {
    let place = Place::new();
    let mut command = place.firedrill();
    command.arg("check");
    for name in ["an-unknown-field", "no-load"] {
        command.arg(Place::workspace().join(format!("scenarios/invalid/{name}.yaml")));
    }
    let told = stderr(&command.assert().code(2));
    for needed in ["an-unknown-field.yaml:3:1", "no-load.yaml:", "in 2 drills"] {
        assert!(told.contains(needed), "{needed:?} is missing in {told}");
    }
}

#[test]
fn what_was_typed_wrongly_is_refused() {
    let place = Place::new();
    let drill = place.steady_drill();
    let drill = drill.to_str().unwrap();
    let busy = "load:
  - arrivals: {name: read-profile, rate: 40/s}
timeline:
  - {at: 1m, inject: {host-cpu: {for: 16m}}}
expect: [quiet: {}]\n";
    let busy = place.drill("a-host-that-is-busy-for-long", busy);
    let busy = busy.to_str().unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&["run", "--nope"], "--nope"),
        (&["rnu"], "unrecognized subcommand 'rnu'"),
        (&["run", drill, "--speed", "61"], "61 is not in 1..=60"),
        (&["run", drill, "--speed", "0"], "0 is not in 1..=60"),
        (&["run", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        (&["check", "journeys/nowhere"], "cannot be read"),
        (&["run", drill, "--config", "nowhere"], "cannot read nowhere"),
        (&["report", "20200101t000000z-0000"], "hint: a run is its folder, its id, or `latest`"),
        (&["report"], "hint: a run is its folder, its id, or `latest`"),
        (&["judge", "no/such/run"], "hint: a run is its folder, its id, or `latest`"),
        (&["restore", "no/such/run"], "hint: a run is its folder, its id, or `latest`"),
        (&["run", "empty"], "no drills found in empty"),
        (&["run", drill, "--json", "-", "--junit", "-"], "--json and --junit both go to standard output"),
        (&["report", "--junit", "a", "--markdown", "a"], "--junit and --markdown both go to a"),
        (&["completions", "dos"], "invalid value 'dos'"),
        (
            &["run", busy, "--speed", "1"],
            "for 960 s at speed 1: 900 s are the most\nhint: give a larger --speed",
        ),
    ];
    fs::create_dir(place.path("empty")).unwrap();
    let mut wrong = Vec::new();
    for (arguments, needed) in cases {
        let assert = place.firedrill().args(*arguments).assert();
        let told = stderr(&assert);
        if assert.get_output().status.code() != Some(2) || !told.contains(needed) {
            wrong.push(format!("{arguments:?}: {}, {told}", assert.get_output().status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!place.path("state").exists(), "no run was registered");
}

#[test]
fn the_catalog_is_valid_and_list_names_every_drill_of_it() {
    let place = Place::new();
    let catalog = Place::workspace().join(CATALOG);
    let drills = drills_below(&catalog);
    let checked = stdout(&place.firedrill().arg("check").arg(&catalog).assert().code(0));
    assert!(checked.starts_with(&format!("{} drill", drills.len())), "{checked}");
    let listed = stdout(&place.firedrill().arg("list").arg(&catalog).assert().code(0));
    let names: Vec<&str> = listed.lines().filter(|line| !line.starts_with(' ')).collect();
    let files: Vec<&str> = drills.iter().map(|path| path.file_stem().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, files);
}

#[test]
fn outside_a_checkout_the_built_in_catalog_is_meant() {
    let place = Place::new();
    let listed = stdout(&place.firedrill().arg("list").assert().code(0));
    assert!(listed.contains("user-service-errors-page-the-team\n"), "{listed}");
    assert!(listed.contains("    scenarios/catalog/judge/a-deleted-rule-is-noticed.yaml\n"), "{listed}");
}

#[test]
fn schemas_are_those_that_are_committed() {
    let place = Place::new();
    for document in ["drill", "journey"] {
        let printed = stdout(&place.firedrill().args(["schema", document]).assert().code(0));
        let committed =
            fs::read_to_string(Place::workspace().join(format!("scenarios/{document}.schema.json"))).unwrap();
        assert!(printed == committed, "firedrill schema {document} differs from the committed file");
    }
    let run = stdout(&place.firedrill().args(["schema", "run"]).assert().code(0));
    assert!(run.contains("firedrill.run/1"), "{run}");
}

#[test]
fn every_shell_gets_completions_and_bash_takes_them() {
    let place = Place::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stdout(&place.firedrill().args(["completions", shell]).assert().code(0));
        for needed in ["firedrill", "completions", "markdown"] {
            assert!(script.contains(needed), "{shell}: {needed} is missing");
        }
        fs::write(place.path(shell), script).unwrap();
    }
    let mut bash = Command::new("bash");
    bash.args(["-c", "source ./bash && complete -p firedrill"]).current_dir(place.path("."));
    let taken = stdout(&bash.assert().code(0));
    assert!(taken.contains("_firedrill"), "{taken}");
}

#[test]
fn reports_tell_of_a_run_that_began_and_of_drills_that_did_not_and_can_be_made_again() {
    let place = Place::new();
    let mut command = run_without_programs(&place);
    command.args(["--strict", "--junit", "junit.xml", "--markdown", "new/summary.md"]);
    command.assert().code(3);
    let junit = fs::read_to_string(place.path("junit.xml")).unwrap();
    for needed in ["failed to find prometheus", "<error type=\"not-run\"", "errors=\"2\""] {
        assert!(junit.contains(needed), "{needed:?} is missing in {junit}");
    }
    let markdown = fs::read_to_string(place.path("new/summary.md")).unwrap();
    assert!(markdown.contains("| – steady-load-is-counted | not run |"), "{markdown}");
    for (format, written) in [("--junit", junit), ("--markdown", markdown)] {
        let again = place.firedrill().args(["report", "latest", format, "-"]).assert().code(0);
        assert_eq!(stdout(&again), written);
    }
}

#[test]
fn a_report_that_cannot_be_written_is_told_and_changes_no_exit_code() {
    let place = Place::new();
    let mut command = run_without_programs(&place);
    let assert = command.args(["--junit", ".", "--markdown", "summary.md"]).assert().code(3);
    let told = stderr(&assert);
    assert!(told.contains("failed to write the JUnit report to ."), "{told}");
    assert!(place.path("summary.md").exists(), "the other one is written");
}

#[test]
fn restore_finds_nothing_where_no_run_is_unfinished() {
    let place = Place::new();
    assert_eq!(stdout(&place.firedrill().arg("restore").assert().code(0)), "no unfinished run\n");
}

#[test]
fn colour_is_left_out_unless_it_is_asked_for() {
    let place = Place::new();
    let broken = Place::workspace().join("scenarios/invalid/an-unknown-field.yaml");
    let escapes = |colour: &[&str], no_color: bool| {
        let mut command = place.firedrill();
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let assert = command.arg("check").arg(&broken).args(colour).assert().code(2);
        stdout(&assert).contains('\u{1b}') || stderr(&assert).contains('\u{1b}')
    };
    assert!(escapes(&["--color", "always"], false), "there is something to leave out");
    assert!(!escapes(&["--color", "never"], false));
    assert!(!escapes(&[], true));
    assert!(!escapes(&[], false), "not a terminal");
}

#[test]
fn a_speed_above_what_the_configuration_allows_is_refused_with_the_largest_allowed() {
    let place = Place::new();
    let config = place.path("config");
    copy(&Place::workspace().join("stack/config"), &config);
    let prometheus = config.join("prometheus.yml");
    let text = fs::read_to_string(&prometheus).unwrap();
    let faster = text.replace("scrape_interval: 15s", "scrape_interval: 5s");
    assert_ne!(text, faster);
    fs::write(&prometheus, faster).unwrap();
    let told = stderr(
        &place
            .firedrill()
            .arg("run")
            .arg(place.steady_drill())
            .arg("--config")
            .arg(&config)
            .args(["--speed", "60"])
            .assert()
            .code(2),
    );
    assert!(
        told.contains("the largest factor is 20") && told.contains("hint: give a smaller --speed"),
        "{told}"
    );
    assert!(!place.path(".firedrill").exists(), "nothing was started");
}

#[test]
fn the_speed_that_auto_picks_is_in_the_record() {
    let place = Place::new();
    let config = place.path("config");
    copy(&Place::workspace().join("stack/config"), &config);
    fs::write(config.join("rules/fast.yml"), "groups: [{name: fast, interval: 10s, rules: []}]\n").unwrap();
    let mut command = run_without_programs(&place);
    let assert =
        command.arg("--config").arg(&config).args(["--speed", "auto", "--json", "-"]).assert().code(3);
    let record: serde_json::Value = serde_json::from_str(&stdout(&assert)).unwrap();
    assert_eq!(record["speed"], 40);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

#[test]
fn a_program_that_is_missing_is_named_with_what_installs_it() {
    let place = Place::new();
    let assert = run_without_programs(&place).args(["--out", "out"]).assert().code(3);
    for told in [stdout(&assert), stderr(&assert)] {
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        for needed in ["failed to find prometheus: none of prometheus is on PATH", "hint: run ./setup.sh"] {
            assert!(told.contains(needed), "{needed:?} is missing in {told}");
        }
    }
    assert_eq!(place.unfinished(), [] as [&str; 0]);
}

#[test]
fn services_that_are_missing_are_named_before_anything_starts() {
    let place = Place::new();
    let told = stderr(
        &place
            .firedrill()
            .env("FIREDRILL_SERVICES", place.path("nothing"))
            .arg("run")
            .arg(place.steady_drill())
            .args(["--out", "out"])
            .assert()
            .code(3),
    );
    assert!(told.contains("failed to find the services' program") && told.contains("hint:"), "{told}");
    assert!(!place.path("out").exists());
}

#[test]
fn a_run_folder_that_holds_something_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let thesis = place.path("out/thesis.txt");
    fs::create_dir(place.path("out")).unwrap();
    fs::write(&thesis, "mine").unwrap();
    let told = stderr(
        &place.firedrill().arg("run").arg(place.steady_drill()).args(["--out", "out"]).assert().code(2),
    );
    assert!(told.contains("it is not empty") && told.contains("hint:"), "{told}");
    assert_eq!(fs::read_to_string(thesis).unwrap(), "mine");
    assert_eq!(fs::read_dir(place.path("out")).unwrap().count(), 1);
    assert_eq!(place.unfinished(), [] as [&str; 0]);
}

#[test]
fn the_burner_ends_when_nobody_holds_its_standard_input_and_refuses_a_lease_beyond_every_fault() {
    let place = Place::new();
    let burn = |lease_ms: &str| {
        place.firedrill().args(["burn", "--processors", "1", "--lease-ms", lease_ms]).assert()
    };
    // Its input is empty: it ends at once, not after ten minutes.
    burn("600000").code(0);
    let told = stderr(&burn("3600000").code(3));
    assert!(told.contains("failed to keep processors busy for 3600 s: 1200 s are the most"), "{told}");
}
