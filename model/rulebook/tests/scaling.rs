//! Rule files as the public writes them, at a factor of 60: each alert must be of the class that its author states
//! beside it, and `promtool` must accept the files before and after. It is needed: without it these tests fail.
//!
//! The table of what was found, `scaling/classified.txt`, is committed; `FIREDRILL_UPDATE_GENERATED=1` writes it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use firedrill_rulebook::{Compressed, ConfigFolder, Rule, RuleFate, RuleOutcome, compress};

const SPEED: u32 = 60;
const PROMETHEUS: &str =
    "global: {scrape_interval: 15s, evaluation_interval: 15s}\nrule_files: ['rules/*.yml']\n";
const ALERTMANAGER: &str = "route: {receiver: a}\nreceivers: [{name: a}]\n";
const FIREDRILL: &str = "drivers: {planted_free_bytes: drill, workqueue_depth: drill}\n";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scaling")
}

fn config() -> ConfigFolder {
    let rules = std::fs::read_dir(folder().join("rules")).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = format!("rules/{}", path.file_name().unwrap().to_str().unwrap());
        (name, std::fs::read_to_string(path).unwrap())
    });
    let others =
        [("prometheus.yml", PROMETHEUS), ("alertmanager.yml", ALERTMANAGER), ("firedrill.yaml", FIREDRILL)];
    let others = others.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned()));
    ConfigFolder::from_files(rules.chain(others).collect::<Vec<_>>())
}

/// An alert as it was found.
struct Found {
    alert: String,
    expected: String,
    class: String,
    why: String,
    largest: String,
}

fn found() -> Vec<Found> {
    let config = config();
    let compressed = compress(&config, SPEED).unwrap();
    let mut found = Vec::new();
    for (file, group, rule) in config.rules().unwrap().iter() {
        let Rule::Alerting(alert) = rule else { continue };
        let (class, why, largest) = classified(&compressed, file, &group.name, &alert.name);
        let expected = alert.annotations["firedrill_class"].clone();
        found.push(Found { alert: alert.name.clone(), expected, class, why, largest });
    }
    found
}

/// The class of a rule at 60, why, and the largest factor at which it can be compressed.
fn classified(compressed: &Compressed, file: &str, group: &str, rule: &str) -> (String, String, String) {
    let is_it = |it: &&RuleOutcome| (&*it.file, &*it.group, &*it.rule) == (file, group, rule);
    let outcome = compressed.rules.iter().find(is_it).expect("every rule has its outcome");
    match &outcome.fate {
        RuleFate::NotCompressible { reason, largest_factor } => {
            let largest = largest_factor.map_or_else(|| "1".to_owned(), |factor| factor.to_string());
            ("not-compressible".to_owned(), reason.clone(), largest)
        }
        RuleFate::Compressed { class, notes, .. } => {
            (class.to_string(), notes.join("; "), format!("{SPEED} or more"))
        }
    }
}

fn table(found: &[Found]) -> String {
    let mut text = "alert | class at 60 | why | largest factor\n".to_owned();
    for Found { alert, class, why, largest, .. } in found {
        writeln!(text, "{alert} | {class} | {} | {largest}", if why.is_empty() { "-" } else { why }).unwrap();
    }
    text
}

#[test]
fn every_alert_is_of_the_class_that_is_stated_beside_it() {
    let found = found();
    assert!(found.len() >= 60, "{}", found.len());
    let wrong: Vec<_> = found
        .iter()
        .filter(|found| found.class != found.expected)
        .map(|Found { alert, expected, class, why, .. }| {
            format!("{alert}: {expected} is stated, {class} is found: {why}")
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_committed_table_says_what_is_found() {
    let path = folder().join("classified.txt");
    let now = table(&found());
    if std::env::var_os("FIREDRILL_UPDATE_GENERATED").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == now,
        "classified.txt is old: run this test with FIREDRILL_UPDATE_GENERATED=1\n{now}"
    );
}

#[test]
fn every_function_that_compressing_decides_about_is_in_the_rules() {
    let config = config();
    let text: String = config.files.values().map(String::as_str).collect();
    let functions = "increase delta idelta rate irate deriv changes resets predict_linear holt_winters avg_over_time \
        sum_over_time count_over_time quantile_over_time stddev_over_time last_over_time max_over_time \
        absent absent_over_time histogram_quantile time timestamp hour";
    let missing: Vec<_> =
        functions.split_whitespace().filter(|name| !text.contains(&format!("{name}("))).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn promtool_accepts_the_rules_before_and_after() {
    for config in
        [config(), compress(&config(), SPEED).unwrap().folder, compress(&config(), 7).unwrap().folder]
    {
        let folder = tempfile::tempdir().unwrap();
        config.write_to(folder.path()).unwrap();
        for path in config.files.keys().filter(|path| path.starts_with("rules/")) {
            assert_accepted(folder.path(), path);
        }
    }
}

#[track_caller]
fn assert_accepted(folder: &Path, rules: &str) {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/promtool");
    let promtool = [tools, PathBuf::from("promtool")]
        .into_iter()
        .find(|tool| Command::new(tool).arg("--version").output().is_ok())
        .expect("promtool is neither on PATH nor in .tools/bin");
    let output = Command::new(promtool).args(["check", "rules", rules]).current_dir(folder).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{rules}: {said}");
}
