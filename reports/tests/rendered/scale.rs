//! Rule files in compressed time: the table at two widths, its colours, and the JSON.

use std::path::Path;
use std::time::Duration;

use firedrill_reports::{RenderOptions, ScaleReport, render_scale, render_scale_json};
use firedrill_rulebook::{ChangeClass, RuleFate, RuleKind, RuleOutcome};

fn rule(file: &str, line: usize, rule: &str, fate: RuleFate) -> RuleOutcome {
    let kind = if rule.contains(':') { RuleKind::Recording } else { RuleKind::Alert };
    RuleOutcome {
        file: file.to_owned(),
        line,
        group: "services".to_owned(),
        rule: rule.to_owned(),
        kind,
        before: "rate(x_total[5m]) > 1".to_owned(),
        fate,
    }
}

fn kept(class: ChangeClass, notes: &[&str]) -> RuleFate {
    RuleFate::Compressed {
        class,
        notes: notes.iter().map(ToString::to_string).collect(),
        after: "rate(x_total[5s]) > 1".to_owned(),
    }
}

fn refused(reason: &str, largest_factor: Option<u32>) -> RuleFate {
    RuleFate::NotCompressible { reason: reason.to_owned(), largest_factor }
}

fn rules() -> Vec<RuleOutcome> {
    vec![
        rule("rules/host.yml", 9, "HighCpuUsage", kept(ChangeClass::Exact, &[])),
        rule(
            "rules/host.yml",
            21,
            "LoadIsHigh",
            refused("node_load5 is averaged by the kernel over real minutes", None),
        ),
        rule("rules/services.yml", 104, "service:http_requests:rate5m", kept(ChangeClass::Exact, &[])),
        rule(
            "rules/services.yml",
            110,
            "ConsumerRestartsFarTooOftenInTheLastQuarterOfAnHour",
            kept(ChangeClass::Assumed, &["changes(worker_generation) is assumed to move with the drill"]),
        ),
        rule(
            "rules/services.yml",
            120,
            "Slow\u{1b}[31mEscape",
            kept(ChangeClass::Adjusted, &["for 1m40s becomes 1s667ms: rounded to a whole millisecond"]),
        ),
        rule("rules/services.yml", 130, "Blink", refused("its for 20ms would vanish", Some(40))),
    ]
}

fn report<'a>(rules: &'a [RuleOutcome], left_aside: &'a [String]) -> ScaleReport<'a> {
    ScaleReport {
        speed: 60,
        chosen: false,
        scrape_interval: Duration::from_secs(15),
        evaluation_interval: Duration::from_secs(30),
        rules,
        left_aside,
        written: None,
    }
}

fn rendered(width: usize, colour: bool) -> String {
    let aside = ["rules/prometheus.yml".to_owned()];
    let options = RenderOptions { colour, width: Some(width), folder: None };
    render_scale(&report(&rules(), &aside), &options)
}

#[test]
fn scaled_rules_at_80_columns() {
    insta::assert_snapshot!(rendered(80, false));
}

#[test]
fn scaled_rules_at_120_columns() {
    insta::assert_snapshot!(rendered(120, false));
}

#[test]
fn no_line_is_wider_than_the_page() {
    for width in [60, 80, 120, 160] {
        for line in rendered(width, false).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn nothing_is_said_by_colour_alone() {
    let coloured = rendered(80, true);
    assert!(coloured.contains("\u{1b}["));
    assert!(!rendered(80, false).contains('\u{1b}'));
    for said in ["✗ not", "? assumed", "~ adjusted", "✓ exact"] {
        assert!(rendered(80, false).contains(said), "{said}");
    }
}

#[test]
fn a_chosen_speed_and_the_folder_of_the_files_are_named() {
    let rules = rules();
    let report = ScaleReport { chosen: true, written: Some(Path::new("out")), ..report(&rules[..1], &[]) };
    let text = render_scale(&report, &RenderOptions::default());
    assert!(text.contains("speed 60, the largest faithful factor up to 60;"), "{text}");
    assert!(text.ends_with("scaled files written to out\n"), "{text}");
    assert!(!text.contains("warning"), "{text}");
}

#[test]
fn scaled_rules_as_json() {
    let rules = rules();
    insta::assert_snapshot!(render_scale_json(&report(&rules[3..], &[])).expect("plain data"));
}
