use std::time::Duration;

use super::{Aggregation, Comparison, Grouping, Shape, analyse, shape};
use crate::promql::{RecordingRules, RulePosition};
use crate::rules::{LoadedRules, RuleFile};

const RULES: &str = r#"
groups:
- name: first
  rules:
  - {record: "s:bad:rate5m", expr: 'sum by (s) (rate(x_total{status=~"5.."}[5m]))'}
  - {record: "s:all:rate5m", expr: 'sum by (s) (rate(x_total[5m]))'}
- name: second
  rules:
  - {record: "s:ratio", expr: '"s:bad:rate5m" / "s:all:rate5m"', labels: {kind: recorded}}
  - {record: "twice", expr: 'a'}
  - {record: "twice", expr: 'b'}
"#;

fn rules() -> RecordingRules {
    let file = RuleFile::parse(
        &RULES.replace("'\"s:bad:rate5m\" / \"s:all:rate5m\"'", "'s:bad:rate5m / s:all:rate5m'"),
    );
    RecordingRules::of(&LoadedRules { files: vec![("r.yml".to_owned(), file.unwrap())] }).unwrap()
}

fn shape_of(expression: &str) -> Shape {
    shape(expression, &rules()).unwrap()
}

#[track_caller]
fn assert_ratio(expression: &str, expected_op: Comparison, expected: f64) {
    let Shape::Ratio { op, threshold, window, bad, total, by } = shape_of(expression) else {
        panic!("{expression}: {:?}", shape_of(expression))
    };
    assert_eq!((op, window), (expected_op, Duration::from_mins(5)), "{expression}");
    assert!((threshold - expected).abs() < 1e-9, "{expression}: {threshold}");
    assert!(
        bad.series().starts_with("x_total{") && total.series().starts_with("x_total"),
        "{bad:?} {total:?}"
    );
    assert_eq!(by, Grouping::By(vec!["s".to_owned()]), "{expression}");
}

#[test]
fn a_ratio_is_found_in_every_way_of_writing_it() {
    let bad = r#"sum by (s) (rate(x_total{status=~"5.."}[5m]))"#;
    let all = "sum by (s) (rate(x_total[5m]))";
    assert_ratio(&format!("{bad} / {all} > 0.05"), Comparison::Greater, 0.05);
    assert_ratio(&format!("100 * ({bad} / {all}) > 5"), Comparison::Greater, 0.05);
    assert_ratio(&format!("{bad} * 100 / {all} >= 5"), Comparison::GreaterOrEqual, 0.05);
    assert_ratio(&format!("5 / 100 < ({bad} / on (s) {all})"), Comparison::Greater, 0.05);
    assert_ratio(&format!("1 - {bad} / {all} < 0.95"), Comparison::Greater, 0.05);
    assert_ratio("s:ratio > 0.05", Comparison::Greater, 0.05);
    assert_ratio("s:bad:rate5m / s:all:rate5m > 0.05", Comparison::Greater, 0.05);
}

#[test]
fn matchers_on_a_recorded_metric_reach_its_raw_series_unless_the_rule_adds_the_label() {
    let Shape::Ratio { total, .. } = shape_of(r#"s:ratio{s="user",kind="recorded"} > 0.05"#) else {
        panic!()
    };
    assert_eq!(total.series(), r#"x_total{s="user"}"#);
}

#[test]
fn gauges_rates_and_quantiles_are_told_apart() {
    let Shape::Gauge { op, threshold, selector, aggregation } = shape_of(r#"up{job="a"} == 0"#) else {
        panic!()
    };
    assert_eq!((op, threshold, selector.series().as_str()), (Comparison::Equal, 0.0, r#"up{job="a"}"#));
    assert_eq!(aggregation, None);

    let Shape::Gauge { aggregation, .. } = shape_of("max without (x) (g) > 3") else { panic!() };
    let by = Grouping::Without(vec!["x".to_owned()]);
    assert_eq!(aggregation, Some(Aggregation { operator: "max".to_owned(), by }));

    let cpu = "100 - avg by (instance) (rate(c_total{mode=\"idle\"}[5m])) * 100 > 80";
    let Shape::RateThreshold { function, op, threshold, aggregation, .. } = shape_of(cpu) else { panic!() };
    assert_eq!((function.as_str(), op), ("rate", Comparison::Less));
    assert!((threshold - 0.2).abs() < 1e-9, "{threshold}");
    assert_eq!(aggregation.unwrap().operator, "avg");

    let p95 = "histogram_quantile(0.95, sum by (le) (rate(h_bucket[5m]))) > 0.5";
    let Shape::Quantile { quantile, threshold, window, .. } = shape_of(p95) else { panic!() };
    assert_eq!((quantile, threshold, window), (0.95, 0.5, Duration::from_mins(5)));
}

#[test]
fn absence_and_constants_are_told_apart() {
    assert!(matches!(shape_of("absent(up{job=\"a\"})"), Shape::Absent { .. }));
    assert!(matches!(shape_of("absent(up) == 1"), Shape::Absent { .. }));
    let Shape::Absent { selector } = shape_of("absent_over_time(up[5m])") else { panic!() };
    assert_eq!(selector.range, Some(Duration::from_mins(5)));
    assert_eq!(shape_of("vector(1)"), Shape::Constant { fires: true });
    assert_eq!(shape_of("vector(1) > 2"), Shape::Constant { fires: false });
}

#[test]
fn what_is_not_known_is_said_to_be_and_never_guessed() {
    for expression in [
        "up",
        "up == bool 0",
        "a > 1 and b > 1",
        "a > b",
        "avg_over_time(g[5m]) > 1",
        "rate(a_total[5m]) / rate(b_total[10m]) > 1",
        "rate(a_total[5m]) / increase(b_total[5m]) > 1",
        "avg(rate(a_total[5m])) / sum(rate(b_total[5m])) > 1",
        "sum(rate(a_total[5m])) / (sum(rate(b_total[5m])) + 1) > 1",
        "a / b > 1",
        "g * 0 > 1",
        "count_values(\"x\", g) > 1",
        "topk(3, g) > 1",
        "max_over_time(rate(a_total[5m])[1h:1m]) > 1",
        "g @ 5 > 1",
    ] {
        assert!(
            matches!(shape_of(expression), Shape::Other { .. }),
            "{expression}: {:?}",
            shape_of(expression)
        );
    }
    assert!(matches!(shape_of("twice > 1"), Shape::Other { .. }));
    assert!(matches!(shape_of("s:ratio offset 1m > 1"), Shape::Other { .. }));
}

#[test]
fn the_chain_of_recording_rules_says_what_is_as_old_as_an_evaluation() {
    let at = |group: &str, index| RulePosition { file: "r.yml".to_owned(), group: group.to_owned(), index };
    let steps = |expression: &str, at: Option<&RulePosition>| {
        let analysis = analyse(expression, &rules(), at).unwrap();
        analysis.recorded.into_iter().map(|step| (step.metric, step.same_evaluation)).collect::<Vec<_>>()
    };
    assert_eq!(steps("up == 0", None), []);
    let (ratio, bad) = ("s:ratio".to_owned(), "s:all:rate5m".to_owned());
    assert_eq!(steps("s:ratio > 1", Some(&at("second", 3))), [(ratio.clone(), true), (bad.clone(), false)]);
    assert_eq!(steps("s:ratio > 1", Some(&at("third", 0))), [(ratio.clone(), false), (bad.clone(), false)]);
    assert_eq!(steps("s:ratio > 1", Some(&at("second", 0))), [(ratio, false), (bad, false)], "before it");
}
