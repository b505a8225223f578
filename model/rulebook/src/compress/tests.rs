use std::time::Duration;

use super::{
    CompressError, RuleClass, RuleFate, RuleKind, RuleOutcome, RuleSet, ScaledFlags, compress,
    faithful_speed, largest_speed,
};
use crate::change::{Change, ChangeClass};
use crate::folder::ConfigFolder;
use crate::rules::Rule;

const PROMETHEUS: &str = "global: {scrape_interval: 15s, evaluation_interval: 30s, scrape_timeout: 10s}\n\
    rule_files: ['rules/*.yml']\nscrape_configs: [{job_name: a}, {job_name: slow, scrape_interval: 1m}]\n";
const ALERTMANAGER: &str = "route: {receiver: a, group_wait: 10s, routes: [{match: {x: y}, repeat_interval: 1h, \
    routes: [{group_interval: 1m}]}]}\nreceivers: [{name: a}]\n";

fn folder(rules: &str) -> ConfigFolder {
    ConfigFolder::from_files([
        ("prometheus.yml", PROMETHEUS),
        ("alertmanager.yml", ALERTMANAGER),
        ("rules/r.yml", rules),
        ("notes.txt", "kept"),
    ])
}

fn one_group(rules: &str) -> ConfigFolder {
    folder(&format!("groups:\n- name: g\n  rules:\n{rules}"))
}

fn left_out(rules: &str, speed: u32) -> Vec<(String, Option<u32>)> {
    let compressed = compress(&one_group(rules), speed).unwrap();
    let largest = |rule: &RuleOutcome| match &rule.fate {
        RuleFate::Compressed { .. } => None,
        RuleFate::NotCompressible { largest_factor, .. } => *largest_factor,
    };
    compressed.left_out().into_iter().map(|rule| (rule.rule.clone(), largest(rule))).collect()
}

#[test]
fn at_speed_one_nothing_changes() {
    let folder = one_group("  - {alert: A, expr: 'time() > 1'}\n");
    let compressed = compress(&folder, 1).unwrap();
    assert_eq!(compressed.folder, folder);
    assert!(compressed.changes.is_empty() && compressed.rules.is_empty());
    assert_eq!(compressed.flags.lookback_delta, Duration::from_mins(5));
}

#[test]
fn every_timer_of_both_monitors_is_divided_and_absent_ones_are_divided_defaults() {
    let compressed = compress(&one_group(""), 30).unwrap();
    let prometheus = compressed.folder.prometheus().unwrap();
    assert_eq!(prometheus.scrape_interval, Duration::from_millis(500));
    assert_eq!(prometheus.evaluation_interval, Duration::from_secs(1));
    let slow = prometheus.job("slow").unwrap();
    assert_eq!(slow.scrape_interval, Duration::from_secs(2));
    assert_eq!(slow.scrape_timeout, Duration::from_secs(2), "real, but no longer than the interval");

    let labels = [("x".to_owned(), "y".to_owned())].into();
    let alertmanager = compressed.folder.alertmanager().unwrap();
    let route = &alertmanager.routes_for(&labels)[0];
    assert_eq!(route.path, "route.routes[0].routes[0]");
    assert_eq!(route.group_wait, Duration::from_millis(333));
    assert_eq!(route.group_interval, Duration::from_secs(2));
    assert_eq!(route.repeat_interval, Duration::from_mins(2));
    assert_eq!(alertmanager.route.group_interval, Some(Duration::from_secs(10)));

    let wait = compressed.changes.iter().find(|change| change.what == "route.group_wait").unwrap();
    assert_eq!((wait.from.as_str(), wait.to.as_str(), wait.class), ("10s", "333ms", ChangeClass::Adjusted));
    assert_eq!(compressed.folder.files["notes.txt"], "kept");
}

#[test]
fn every_duration_of_a_rule_is_divided() {
    let rules = "groups:\n- name: g\n  interval: 1m\n  query_offset: 30s\n  limit: 7\n  rules:\n\
                 \x20 - {alert: A, expr: 'rate(x_total[5m]) > 1', for: 5m, keep_firing_for: 10m, labels: {s: '1'}}\n";
    let compressed = compress(&folder(rules), 60).unwrap();
    let loaded = compressed.folder.rules().unwrap();
    let (_, group, rule) = loaded.iter().next().unwrap();
    let Rule::Alerting(alert) = rule else { panic!("{rule:?}") };
    assert_eq!(group.interval, Some(Duration::from_secs(1)));
    assert_eq!(alert.expr, "rate(x_total[5s]) > 1");
    assert_eq!((alert.r#for, alert.keep_firing_for), (Duration::from_secs(5), Duration::from_secs(10)));
    assert_eq!(alert.labels["s"], "1");
    let text = &compressed.folder.files["rules/r.yml"];
    assert!(text.contains("query_offset: 500ms") && text.contains("limit: 7"), "{text}");
    let whats: Vec<_> = compressed.changes.iter().map(|change| change.what.as_str()).collect();
    for what in [
        "group g: interval",
        "group g: query_offset",
        "rule A: expr",
        "rule A: for",
        "rule A: keep_firing_for",
    ] {
        assert!(whats.contains(&what), "{what} is not in {whats:?}");
    }
}

#[test]
fn a_rule_that_cannot_be_compressed_is_left_out_with_what_reads_it() {
    let rules = "  - {record: 'a:b', expr: 'hour()'}\n  - {record: 'a:c', expr: 'a:b * 2'}\n\
                 \x20 - {alert: A, expr: 'a:c > 1'}\n  - {alert: B, expr: 'up == 0'}\n";
    let names: Vec<_> = left_out(rules, 60).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a:b", "a:c", "A"]);
    let compressed = compress(&one_group(rules), 60).unwrap();
    assert_eq!(compressed.folder.rules().unwrap().iter().count(), 1);
}

#[test]
fn history_beyond_a_drill_is_left_out() {
    assert_eq!(left_out("  - {alert: A, expr: 'x - x offset 1d > 5'}\n", 60), [("A".to_owned(), None)]);
    assert_eq!(left_out("  - {alert: A, expr: 'x - x offset 1h > 5'}\n", 60), []);
}

#[test]
fn a_for_that_would_vanish_is_left_out_with_the_largest_factor() {
    assert_eq!(left_out("  - {alert: A, expr: 'up == 0', for: 20ms}\n", 60), [("A".to_owned(), Some(40))]);
}

#[test]
fn a_window_is_measured_in_samples_of_the_job_or_group_it_reads() {
    let name = |name: &str| [(name.to_owned(), None)];
    let read = |selector: &str| left_out(&format!("  - {{alert: A, expr: 'rate({selector}) > 1'}}\n"), 2);
    assert_eq!(read("x_total{job=\"a\"}[45s]"), name("A"));
    assert_eq!(read("x_total{job=\"a\"}[1m]"), []);
    assert_eq!(read("x_total{job=\"slow\"}[3m]"), name("A"));
    assert_eq!(read("x_total{job!=\"slow\"}[1m]"), []);
    let recorded = "  - {record: 'a:b', expr: 'up'}\n  - {alert: A, expr: 'avg_over_time(a:b[1m]) > 1'}\n";
    assert_eq!(left_out(recorded, 2), name("A"), "recorded every 30s");
}

#[test]
fn a_metric_of_an_unknown_job_may_be_from_the_slowest() {
    let refused = |selector: &str| {
        let rules = one_group(&format!("  - {{alert: A, expr: 'rate({selector}) > 1'}}\n"));
        match &compress(&rules, 2).unwrap().rules[0].fate {
            RuleFate::Compressed { .. } => String::new(),
            RuleFate::NotCompressible { reason, .. } => reason.clone(),
        }
    };
    let why = "holds fewer than 4 samples 1m apart, as job slow is scraped, from which it may be";
    for selector in ["x_total[3m]", "x_total{job=~\".*\"}[3m]", "x_total{job=\"elsewhere\"}[3m]"] {
        assert!(refused(selector).ends_with(why), "{selector}: {}", refused(selector));
    }
    assert!(refused("x_total{job=\"slow\"}[3m]").ends_with("samples 1m apart"));
    assert_eq!(refused("x_total[4m]"), "");
}

#[test]
fn what_is_assumed_is_listed_even_when_nothing_changes() {
    let rules = "  - {alert: A, expr: 'up == 0', annotations: {d: '{{ with query \"up\" }}x{{ end }}'}}\n\
                 \x20 - {alert: B, expr: 'changes(x_total[5m]) > 1', annotations: {d: 'the query {{ $value }}'}}\n";
    let compressed = compress(&one_group(rules), 10).unwrap();
    let assumed: Vec<_> = compressed
        .changes
        .iter()
        .filter(|change| change.class == ChangeClass::Assumed)
        .map(|Change { what, note, .. }| (what.as_str(), note.as_str()))
        .collect();
    assert_eq!(
        assumed,
        [
            ("rule A: d", "queries in templates are not compressed"),
            ("rule B: expr", "changes(x_total) is assumed to move with the drill"),
        ]
    );
}

#[test]
fn a_speed_that_makes_an_interval_too_short_is_refused_with_the_largest() {
    let error = compress(&one_group(""), 61).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot compress time by 61: the scrape interval would be below 250ms; the largest factor is 60"
    );
    let rules = folder("groups: [{name: fast, interval: 5s}]");
    assert_eq!(largest_speed(&rules), Ok(20));
    let error = compress(&rules, 60).unwrap_err();
    assert!(
        matches!(error, CompressError::TooFast { largest: 20, .. })
            && error.to_string().contains("group fast")
    );
    assert_eq!(compress(&rules, 0), Err(CompressError::Zero));
}

#[test]
fn an_expression_that_is_not_promql_is_an_error_with_its_line() {
    let error = compress(&one_group("  - alert: A\n    expr: 'rate(x[5m'\n"), 60).unwrap_err();
    assert!(error.to_string().starts_with("rules/r.yml:4: rule A: "), "{error}");
}

#[test]
fn the_flags_are_the_divided_defaults_of_prometheus() {
    let flags = ScaledFlags::at(60);
    assert_eq!(flags.lookback_delta, Duration::from_secs(5));
    assert_eq!(flags.resend_delay, Duration::from_secs(1));
    assert_eq!(flags.for_grace_period, Duration::from_secs(10));
    assert_eq!(flags.for_outage_tolerance, Duration::from_mins(1));
}

fn outcomes(rules: &str, speed: u32) -> Vec<RuleOutcome> {
    compress(&one_group(rules), speed).unwrap().rules
}

#[test]
fn every_rule_has_an_outcome_with_its_place_and_both_expressions() {
    let rules = "  - {record: 'a:b', expr: 'rate(x_total[5m])'}\n  - alert: A\n    expr: 'hour() > 1'\n";
    let outcomes = outcomes(rules, 60);
    let places: Vec<_> =
        outcomes.iter().map(|one| (one.file.as_str(), one.line, one.group.as_str(), one.kind)).collect();
    assert_eq!(
        places,
        [("rules/r.yml", 4, "g", RuleKind::Recording), ("rules/r.yml", 5, "g", RuleKind::Alert)]
    );
    assert_eq!(outcomes[0].before, "rate(x_total[5m])");
    let after = "rate(x_total[5s])".to_owned();
    let class = ChangeClass::Exact;
    assert_eq!(outcomes[0].fate, RuleFate::Compressed { class, notes: Vec::new(), after });
    assert_eq!(outcomes[1].class(), RuleClass::NotCompressible);
}

#[test]
fn a_rule_is_as_good_as_the_weakest_of_its_durations() {
    let rules = "  - {alert: A, expr: 'up == 0', for: 100s}\n\
                 \x20 - {alert: B, expr: 'up == 0', for: 100s, annotations: {d: '{{ query \"up\" }}'}}\n";
    let outcomes = outcomes(rules, 60);
    assert_eq!(outcomes[0].class(), RuleClass::Adjusted);
    assert_eq!(outcomes[1].class(), RuleClass::Assumed);
    let RuleFate::Compressed { notes, .. } = &outcomes[1].fate else { panic!("{outcomes:?}") };
    assert_eq!(
        notes[..],
        [
            "for 1m40s becomes 1s667ms: rounded to a whole millisecond",
            "d: queries in templates are not compressed"
        ]
    );
}

#[test]
fn an_interval_that_is_rounded_adjusts_every_rule_of_its_group_and_no_other() {
    let rules = folder(
        "groups:\n- {name: g, interval: 40s, rules: [{alert: A, expr: up == 0}]}\n\
         - {name: h, rules: [{alert: B, expr: up == 0}]}\n",
    );
    let outcomes = compress(&rules, 60).unwrap().rules;
    let RuleFate::Compressed { class, notes, .. } = &outcomes[0].fate else { panic!("{outcomes:?}") };
    assert_eq!(*class, ChangeClass::Adjusted);
    assert_eq!(notes[..], ["the group's interval 40s becomes 667ms: rounded to a whole millisecond"]);
    assert_eq!(outcomes[1].class(), RuleClass::Exact);
}

#[test]
fn what_reads_a_lost_metric_has_the_largest_factor_of_both() {
    let rules = "  - {record: 'a:b', expr: 'x offset 20ms'}\n  - {alert: A, expr: 'a:b > 1'}\n\
                 \x20 - {alert: B, expr: 'a:b > 1', for: 10ms}\n  - {alert: C, expr: 'hour() > a:b'}\n";
    let largest: Vec<_> = left_out(rules, 60).into_iter().map(|(_, factor)| factor).collect();
    let of_metric = largest[0];
    assert!(of_metric.is_some_and(|factor| factor > 1), "{largest:?}");
    assert_eq!(largest, [of_metric, of_metric, Some(20), None]);
}

#[test]
fn all_problems_of_all_files_are_told_at_once() {
    let config = folder("groups: [{name: g, rules: [{alert: A, expr: 'rate('}, {alert: B, expr: 'sum('}]}]")
        .overlay(&ConfigFolder::from_files([
            ("rules/s.yml", "groups:\n- name: [\n"),
            ("rules/t.yml", "groups: [{name: g, rules: [{expr: up}, {alert: A, record: B, expr: up}]}]"),
            ("rules/u.yml", "groups: [{name: g, query_offset: soon}]"),
        ]));
    let Err(CompressError::Rules(invalid)) = compress(&config, 60) else { panic!("it is invalid") };
    let files: Vec<_> = invalid.problems.iter().map(|problem| problem.file.as_str()).collect();
    let expected = ["rules/r.yml", "rules/r.yml", "rules/s.yml", "rules/t.yml", "rules/t.yml", "rules/u.yml"];
    assert_eq!(files, expected, "{invalid}");
    assert_eq!(invalid.to_string().lines().count(), expected.len());
}

#[test]
fn the_largest_faithful_speed_loses_no_rule_that_a_smaller_one_keeps() {
    for (rules, speed) in [
        ("  - {alert: A, expr: 'up == 0', for: 5m}\n", 60),
        ("  - {alert: A, expr: 'up == 0', for: 20ms}\n", 40),
        ("  - {alert: A, expr: 'up == 0', for: 20ms}\n  - {alert: B, expr: 'up == 0', for: 10ms}\n", 20),
        ("  - {alert: A, expr: 'hour() > 1'}\n", 60),
        // Lost at every factor that keeps the other: it looks back further than a drill lasts below 4.
        ("  - {alert: A, expr: 'x - x offset 1h > 5'}\n  - {alert: B, expr: 'up == 0', for: 1ms}\n", 2),
        // The first is lost for another reason at the factor that its `for` would allow.
        ("  - {alert: A, expr: 'hour() > 1', for: 10ms}\n", 60),
    ] {
        assert_eq!(faithful_speed(&one_group(rules)), Ok(speed), "{rules}");
    }
    assert_eq!(faithful_speed(&folder("groups: [{name: fast, interval: 5s}]")), Ok(20));
    assert_eq!(faithful_speed(&folder("groups: [{name: fast, interval: 300ms}]")), Ok(1));
}

#[test]
fn scaled_by_1_a_set_of_rules_is_as_it_was() {
    let config = one_group("  - {alert: A, expr: 'hour() > 1'}\n");
    let scaled = RuleSet::of(&config).unwrap().scale(1).unwrap();
    assert_eq!(scaled.files["rules/r.yml"], config.files["rules/r.yml"]);
    assert_eq!(scaled.rules[0].class(), RuleClass::Exact);
}

#[test]
fn what_reads_a_recorded_metric_is_no_more_faithful_than_it() {
    let rules = "  - {alert: A, expr: 'a:c > 1'}\n  - {record: 'a:b', expr: 'changes(generation[5m])'}\n\
                 \x20 - {record: 'a:c', expr: 'a:b * 2'}\n  - {alert: B, expr: 'up == 0'}\n";
    let outcomes = outcomes(rules, 60);
    let classes: Vec<_> = outcomes.iter().map(RuleOutcome::class).collect();
    assert_eq!(classes, [RuleClass::Assumed, RuleClass::Assumed, RuleClass::Assumed, RuleClass::Exact]);
    assert_eq!(outcomes[0].why(), "recorded a:b: changes(generation) is assumed to move with the drill");
}

#[test]
fn all_that_speaks_against_a_rule_is_said_with_the_factor_that_suits_all_of_it() {
    let rules = "  - {alert: A, expr: 'up == 0', for: 20ms, keep_firing_for: 10ms}\n\
                 \x20 - {alert: B, expr: 'x offset 1d > 1', for: 20ms}\n";
    let said: Vec<_> = outcomes(rules, 60).iter().map(RuleOutcome::why).collect();
    assert_eq!(
        said,
        [
            "its for 20ms would vanish; its keep_firing_for 10ms would vanish; the largest factor is 20",
            "its for 20ms would vanish; it looks back 1d, which is beyond a drill; no smaller factor works"
        ]
    );
}

#[test]
fn the_largest_factor_of_a_duration_keeps_its_rule_and_the_next_does_not() {
    for key in ["for", "keep_firing_for"] {
        for milliseconds in [1, 7, 10, 29] {
            let rules = format!("  - {{alert: A, expr: 'up == 0', {key}: {milliseconds}ms}}\n");
            let largest = left_out(&rules, 60)[0].1.unwrap();
            let lost = |speed| !left_out(&rules, speed).is_empty();
            assert!(!lost(largest) && lost(largest + 1), "{key} {milliseconds}ms: {largest}");
        }
    }
}
