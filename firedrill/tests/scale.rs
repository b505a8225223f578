//! `firedrill scale`: what it says of rule files, what it writes, and what bad input gets.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::assert::{Assert, OutputAssertExt};
use serde_json::Value;
use tempfile::TempDir;

/// One rule of each class.
const MIXED: &str = "\
groups:
  - name: mixed
    rules:
      - alert: TooManyErrors
        expr: rate(errors_total[5m]) > 1
        for: 5m
      - alert: SlowToFire
        expr: up == 0
        for: 1m30s500ms
      - alert: FlappingWorker
        expr: changes(worker_generation[10m]) > 3
      - alert: BackupIsOld
        expr: time() - backup_finished_timestamp_seconds > 86400
";
const EXACT: &str = "groups: [{name: g, rules: [{alert: Down, expr: up == 0, for: 5m}]}]\n";

/// A folder of a test's own, with rule files in it.
struct Rules(TempDir);

impl Rules {
    fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(root)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn scale(&self, arguments: &[&str]) -> Assert {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
        command.current_dir(self.0.path()).env_remove("NO_COLOR").arg("scale").args(arguments);
        command.assert()
    }

    /// The JSON of a run that ends with `code`.
    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let assert = self.scale(&[arguments, &["--json", "-"]].concat()).code(code);
        serde_json::from_slice(&assert.get_output().stdout).unwrap()
    }
}

fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

fn stderr(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

/// What a table says, without its frame.
fn words(text: &str) -> String {
    text.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn promtool() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/bin/promtool");
    [tools, PathBuf::from("promtool")]
        .into_iter()
        .find(|candidate| Command::new(candidate).arg("--version").output().is_ok())
        .expect("promtool is on PATH or in .tools/bin")
}

fn assert_accepted(file: &Path) {
    let output = Command::new(promtool()).args(["check", "rules"]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn each_rule_of_a_file_gets_its_class_and_its_reason() {
    let rules = Rules::new(&[("mixed.yml", MIXED)]);
    let document = rules.json(&["mixed.yml", "--speed", "60"], 1);
    let seen: Vec<(u64, &str, &str)> = document["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            (rule["line"].as_u64().unwrap(), rule["rule"].as_str().unwrap(), rule["class"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        seen,
        [
            (4, "TooManyErrors", "exact"),
            (7, "SlowToFire", "adjusted"),
            (10, "FlappingWorker", "assumed"),
            (12, "BackupIsOld", "not-compressible"),
        ]
    );
    let first = &document["rules"][0];
    assert_eq!(first["before"], "rate(errors_total[5m]) > 1");
    assert_eq!(first["after"], "rate(errors_total[5s]) > 1");
    assert!(document["rules"][3]["reason"].as_str().unwrap().contains("time()"), "{document}");
    assert_eq!(document["schema"], "firedrill.scale/1");
}

#[test]
fn the_table_names_line_class_and_reason_and_what_is_assumed_is_a_warning() {
    let rules = Rules::new(&[("mixed.yml", MIXED)]);
    let said = words(&stdout(&rules.scale(&["mixed.yml", "--speed", "60"]).code(1)));
    for needed in [
        "mixed.yml: 4 rules",
        "~ adjusted for 1m30s500ms becomes 1s508ms:",
        "warning: 1 rule is faithful only if what is assumed holds",
        "4 rules: 1 exact, 1 adjusted, 1 assumed, 1 not compressible",
    ] {
        assert!(said.contains(needed), "{needed:?} is missing in {said}");
    }
}

#[test]
fn what_is_assumed_alone_is_exit_code_0_and_a_declared_driver_makes_it_exact() {
    let assumed = "groups: [{name: g, rules: [{alert: A, expr: 'changes(worker_generation[10m]) > 3'}]}]\n";
    let rules = Rules::new(&[("a.yml", assumed), ("mine.yaml", "drivers: {worker_generation: drill}\n")]);
    assert!(stdout(&rules.scale(&["a.yml"]).code(0)).contains("warning: "));
    let declared = stdout(&rules.scale(&["a.yml", "--drivers", "mine.yaml"]).code(0));
    assert!(declared.contains("1 rule: 1 exact") && !declared.contains("warning"), "{declared}");
}

#[test]
fn every_problem_of_every_file_is_told_at_once_and_nothing_is_written() {
    let rules = Rules::new(&[
        (
            "rules/one.yml",
            "groups:\n  - name: g\n    rules:\n      - {alert: A, expr: 'rate(x[5m'}\n      - {alert: B, expr: 'sum('}\n",
        ),
        ("rules/two.yml", "groups:\n  - name: [\n"),
        ("rules/three.yml", EXACT),
        ("bad.yaml", "driver: {}\n"),
    ]);
    let assert = rules.scale(&["rules", "nowhere.yml", "--drivers", "bad.yaml", "--out", "out"]).code(2);
    let told = stderr(&assert);
    for needed in [
        "error: 5 problems; nothing was written",
        "rules/one.yml:4: rule A: ",
        "rules/one.yml:5: rule B: ",
        "rules/two.yml:3: ",
        "nowhere.yml cannot be read",
        "bad.yaml:1: ",
    ] {
        assert!(told.contains(needed), "{needed:?} is missing in {told}");
    }
    assert_eq!(stdout(&assert), "");
    assert!(!rules.path("out").exists());
}

#[test]
fn scaled_files_keep_their_relative_paths_and_promtool_accepts_them() {
    let recorded = "groups: [{name: g, rules: [{record: 'job:up:avg', expr: avg by (job) (up)}]}]\n";
    let reading = "groups: [{name: h, rules: [{alert: Low, expr: 'avg_over_time(job:up:avg[5m]) < 0.5'}]}]\n";
    let rules = Rules::new(&[("a/rules.yml", recorded), ("b/c/rules.yaml", reading), ("mixed.yml", MIXED)]);
    rules.scale(&["a", "./b/c/rules.yaml", "mixed.yml", "--speed", "30", "--out", "new/out"]).code(1);
    for file in ["a/rules.yml", "b/c/rules.yaml", "mixed.yml"] {
        assert_accepted(&rules.path("new/out").join(file));
    }
    assert!(rules.read("new/out/b/c/rules.yaml").contains("[10s]"));
    assert!(!rules.read("new/out/mixed.yml").contains("BackupIsOld"), "it is left out");
    assert_eq!(rules.read("mixed.yml"), MIXED, "the input is as it was");
}

#[test]
fn the_rules_that_are_deployed_are_scaled_and_accepted() {
    let deployed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../stack/config");
    let rules = Rules::new(&[]);
    let drivers = deployed.join("firedrill.yaml");
    let folder = deployed.join("rules");
    let arguments = [folder.to_str().unwrap(), "--drivers", drivers.to_str().unwrap(), "--out", "out"];
    rules.scale(&arguments).code(0);
    let written = files_below(&rules.path("out"));
    assert_eq!(written.len(), fs::read_dir(&folder).unwrap().count());
    for file in &written {
        assert_accepted(file);
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn two_files_that_would_be_written_to_one_place_are_refused() {
    let rules = Rules::new(&[("a.yml", EXACT)]);
    let absolute = rules.path("a.yml");
    let same_place = absolute.strip_prefix("/").unwrap().to_str().unwrap();
    fs::create_dir_all(rules.path(same_place).parent().unwrap()).unwrap();
    fs::write(rules.path(same_place), EXACT).unwrap();
    let told = stderr(&rules.scale(&[absolute.to_str().unwrap(), same_place, "--out", "out"]).code(2));
    assert!(told.contains("would both be written to out/"), "{told}");
    assert!(!rules.path("out").exists());
}

#[test]
fn a_file_that_is_named_twice_is_scaled_once() {
    let rules = Rules::new(&[("rules/a.yml", EXACT)]);
    let document = rules.json(&["rules", "rules/a.yml", "./rules"], 0);
    assert_eq!(document["rules"].as_array().unwrap().len(), 1);
}

#[test]
fn a_folder_that_holds_something_is_not_written_to() {
    let rules = Rules::new(&[("a.yml", EXACT), ("out/thesis.txt", "mine")]);
    let told = stderr(&rules.scale(&["a.yml", "--out", "out"]).code(2));
    assert!(told.contains("it is not empty") && told.contains("hint:"), "{told}");
    assert_eq!(fs::read_dir(rules.path("out")).unwrap().count(), 1);
    let told = stderr(&rules.scale(&["a.yml", "--out", "a.yml"]).code(2));
    assert!(told.contains("cannot write to a.yml"), "{told}");
    assert_eq!(rules.read("a.yml"), EXACT);
}

#[test]
fn files_of_a_folder_that_are_no_rules_are_left_aside_by_name() {
    let rules = Rules::new(&[("etc/prometheus.yml", "global: {}\n"), ("etc/a.yml", EXACT)]);
    let said = stdout(&rules.scale(&["etc"]).code(0));
    assert!(said.contains("left aside, no rule files: etc/prometheus.yml"), "{said}");
}

#[test]
fn where_no_rule_is_nothing_can_be_said() {
    let rules = Rules::new(&[("etc/prometheus.yml", "global: {}\n"), ("none.yml", "groups: []\n")]);
    for (arguments, needed) in [
        (["etc"], "no rules found in etc"),
        (["etc/prometheus.yml"], "etc/prometheus.yml:1: it has no `groups`"),
        (["none.yml"], "there is no rule in any of the files"),
    ] {
        let told = stderr(&rules.scale(&arguments).code(2));
        assert!(told.contains(needed), "{needed:?} is missing in {told}");
    }
}

#[test]
fn auto_picks_the_largest_factor_that_loses_no_rule() {
    let blinking = "groups: [{name: g, rules: [{alert: A, expr: up == 0, for: 10ms}]}]\n";
    let rules = Rules::new(&[("exact.yml", EXACT), ("blinking.yml", blinking), ("mixed.yml", MIXED)]);
    for (arguments, speed, code) in [
        (&["exact.yml"][..], 60, 0),
        // A rule that no factor keeps has no say.
        (&["mixed.yml"], 60, 1),
        (&["exact.yml", "blinking.yml"], 20, 0),
        (&["exact.yml", "--scrape-interval", "5s"], 20, 0),
        (&["exact.yml", "--evaluation-interval", "10s"], 40, 0),
        (&["exact.yml", "--scrape-interval", "100ms"], 1, 0),
    ] {
        let document = rules.json(&[arguments, &["--speed", "auto"]].concat(), code);
        assert_eq!((&document["speed"], &document["chosen"]), (&speed.into(), &true.into()), "{arguments:?}");
    }
}

#[test]
fn a_factor_that_makes_an_interval_too_short_is_refused_with_the_largest() {
    let rules = Rules::new(&[("a.yml", EXACT)]);
    let told = stderr(&rules.scale(&["a.yml", "--speed", "60", "--scrape-interval", "5s"]).code(2));
    assert!(told.contains("the largest factor is 20") && told.contains("hint:"), "{told}");
}

#[test]
fn at_speed_1_nothing_changes() {
    let rules = Rules::new(&[("mixed.yml", MIXED)]);
    rules.scale(&["mixed.yml", "--speed", "1", "--out", "out"]).code(0);
    assert_eq!(rules.read("out/mixed.yml"), MIXED);
}

#[test]
fn json_goes_beside_the_table_or_takes_its_place() {
    let rules = Rules::new(&[("a.yml", EXACT)]);
    let said = stdout(&rules.scale(&["a.yml", "--json", "new/a.json"]).code(0));
    assert!(said.contains("a.yml: 1 rule"), "{said}");
    let written: Value = serde_json::from_str(&rules.read("new/a.json")).unwrap();
    assert_eq!(written, rules.json(&["a.yml"], 0));
}

#[test]
fn what_was_typed_wrongly_is_refused() {
    let rules = Rules::new(&[("a.yml", EXACT)]);
    for (arguments, needed) in [
        (&[][..], "required"),
        (&["a.yml", "--speed", "61"], "61 is not in 1..=60"),
        (&["a.yml", "--speed", "fast"], "and not auto"),
        (&["a.yml", "--scrape-interval", "0"], "an interval is above 0"),
        (&["a.yml", "--evaluation-interval", "15"], "is not a duration"),
    ] {
        let told = stderr(&rules.scale(arguments).code(2));
        assert!(told.contains(needed), "{needed:?} is missing in {told}");
    }
}

#[test]
fn colour_is_left_out_unless_it_is_asked_for() {
    let rules = Rules::new(&[("mixed.yml", MIXED)]);
    let escapes = |more: &[&str]| {
        let assert = rules.scale(&[&["mixed.yml"], more].concat()).code(1);
        stdout(&assert).contains('\u{1b}')
    };
    assert!(escapes(&["--color", "always"]), "there is something to leave out");
    assert!(!escapes(&["--color", "never"]));
    assert!(!escapes(&[]), "not a terminal");
}

#[test]
fn help_has_examples_and_every_exit_code() {
    let said = stdout(&Rules::new(&[]).scale(&["--help"]).code(0));
    for needed in ["Examples:\n  firedrill scale ", "Exit codes:\n  0  ", "\n  1  ", "\n  2  ", "\n  3  "] {
        assert!(said.contains(needed), "{needed:?} is missing in {said}");
    }
}
