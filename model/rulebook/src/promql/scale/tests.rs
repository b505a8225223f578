use std::time::Duration;

use proptest::prelude::*;

use super::{NotCompressible, ScaledExpression, Scaling};
use crate::change::ChangeClass::{self, Adjusted, Assumed, Exact};
use crate::firedrill_yaml::FiredrillConfig;
use crate::promql::{RecordingRules, parse};
use crate::rules::{LoadedRules, RuleFile};

fn scale(expression: &str, factor: u32) -> Result<ScaledExpression, NotCompressible> {
    let declared =
        FiredrillConfig::parse("drivers: {ramp: drill, queue: load, restarts_total: drill}").unwrap();
    let rules =
        RuleFile::parse("groups: [{name: g, rules: [{record: 'a:b', expr: 'sum(x_total)'}]}]").unwrap();
    let rules = RecordingRules::of(&LoadedRules { files: vec![("r.yml".to_owned(), rules)] }).unwrap();
    let sample_interval = |_: &_| Duration::from_secs(15);
    Scaling { factor, declared: &declared, rules: &rules, sample_interval: &sample_interval }
        .expression(expression)
}

#[track_caller]
fn assert_scaled(expression: &str, expected: &str, class: ChangeClass) {
    let scaled = scale(expression, 60).unwrap();
    assert_eq!((scaled.text.as_str(), scaled.class), (expected, class), "{expression}: {:?}", scaled.notes);
}

#[test]
fn every_duration_is_divided() {
    assert_scaled("rate(x_total[5m])", "rate(x_total[5s])", Exact);
    assert_scaled("rate(x_total[5m] offset 10m)", "rate(x_total[5s] offset 10s)", Exact);
    assert_scaled(
        "max_over_time(rate(x_total[5m])[1h:1m])",
        "max_over_time(rate(x_total[5s])[1m:1s])",
        Exact,
    );
    assert_scaled("max_over_time(g[1h:])", "max_over_time(g[1m:])", Exact);
    assert_scaled("avg_over_time(g[90s])", "avg_over_time(g[1s500ms])", Exact);
}

#[test]
fn what_does_not_divide_evenly_is_rounded_and_said() {
    let scaled = scale("avg_over_time(g[100s])", 60).unwrap();
    assert_eq!((scaled.text.as_str(), scaled.class), ("avg_over_time(g[1s667ms])", Adjusted));
    assert_eq!(scaled.notes, ["window 1m40s is rounded to 1s667ms"]);
}

#[test]
fn functions_of_load_keep_their_rates_and_get_their_increases_back() {
    assert_scaled("increase(x_total[5m]) > 10", "(increase(x_total[5s]) * 60) > 10", Exact);
    assert_scaled("delta(queue[5m])", "(delta(queue[5s]) * 60)", Exact);
    assert_scaled("idelta(queue[5m])", "(idelta(queue[5s]) * 60)", Exact);
    assert_scaled("deriv(queue[5m])", "deriv(queue[5s])", Exact);
    assert_scaled("irate(x_total[5m])", "irate(x_total[5s])", Exact);
    assert_scaled("changes(queue[5m])", "changes(queue[5s])", Assumed);
    assert_scaled("resets(x_total[5m])", "resets(x_total[5s])", Assumed);
    assert_scaled("predict_linear(queue[5m], 3600)", "predict_linear(queue[5s], 3600)", Exact);
}

#[test]
fn functions_of_the_drill_keep_their_increases_and_have_faster_rates() {
    assert_scaled("increase(restarts_total[5m])", "increase(restarts_total[5s])", Exact);
    assert_scaled("delta(ramp[5m])", "delta(ramp[5s])", Exact);
    assert_scaled("changes(up[5m])", "changes(up[5s])", Exact);
    assert_scaled("rate(restarts_total[5m])", "(rate(restarts_total[5s]) / 60)", Exact);
    assert_scaled("deriv(ramp[5m])", "(deriv(ramp[5s]) / 60)", Exact);
    assert_scaled("predict_linear(ramp[5m], 3600)", "predict_linear(ramp[5s], 60)", Exact);
    assert_scaled("predict_linear(ramp[5m], 4 * 3600)", "predict_linear(ramp[5s], ((4 * 3600) / 60))", Exact);
}

#[test]
fn an_unknown_or_mixed_driver_is_assumed() {
    assert_scaled("delta(g[5m])", "(delta(g[5s]) * 60)", Assumed);
    assert_scaled("deriv(g[5m])", "deriv(g[5s])", Assumed);
    assert_scaled("predict_linear(g[5m], 60)", "predict_linear(g[5s], 60)", Assumed);
    assert_scaled("rate({a=\"b\"}[5m])", "rate({a=\"b\"}[5s])", Assumed);
    assert_scaled("rate((ramp + x_total)[5m:1m])", "rate((ramp + x_total)[5s:1s])", Assumed);
    assert_scaled("g - g offset 1h > 5", "g - g offset 1m > 5", Assumed);
}

#[test]
fn a_recorded_metric_has_the_driver_of_what_it_is_recorded_from() {
    assert_scaled("increase(a:b[5m])", "(increase(a:b[5s]) * 60)", Exact);
}

#[test]
fn functions_that_follow_the_samples_are_unchanged() {
    for function in
        ["sum_over_time", "count_over_time", "avg_over_time", "stddev_over_time", "last_over_time"]
    {
        assert_scaled(&format!("{function}(g[5m])"), &format!("{function}(g[5s])"), Exact);
    }
}

#[test]
fn what_cannot_be_compressed_is_refused_at_any_factor() {
    for expression in [
        "time() - process_start_time_seconds > 3600",
        "timestamp(up) > 0",
        "hour() > 8 and up == 0",
        "days_in_month() == 31",
        "node_load5 > 4",
        "avg_over_time(node_load1[5m]) > 4",
        "rate(x_total[30s])",
        "x_total @ 1609746000",
    ] {
        let refused = scale(expression, 2).unwrap_err();
        assert_eq!(refused.largest_factor, None, "{expression}: {}", refused.reason);
    }
}

#[test]
fn a_duration_that_would_vanish_is_refused_with_the_largest_factor() {
    assert_eq!(scale("max_over_time(g[5m:10ms])", 60).unwrap_err().largest_factor, Some(10));
    assert!(scale("max_over_time(g[5m:10ms])", 10).is_ok());
}

#[test]
fn the_meaning_of_everything_else_survives_printing() {
    for expression in [
        r#"sum by (a, b) (rate(x_total{r!~"/a|/b.*",m="\"q\\"}[5m])) > bool 0.05"#,
        "a + on (x) group_left (y) b * ignoring (z) c",
        "-(a ^ b) unless on () c or vector(1)",
        "topk without (a) (3, b) == Inf",
        r#"label_replace(a, "x", "$1", "y", "(.*)\\.z")"#,
        "histogram_quantile(0.95, sum by (le) (rate(h_bucket[5m])))",
        "quantile_over_time(0.5, g[5m]) != 1e-9",
        "a - -b % 2 atan2 c",
    ] {
        let scaled = scale(expression, 1).unwrap_or_else(|refused| {
            panic!("{expression} {refused:?}: {}", parse(expression).unwrap());
        });
        assert_eq!(scaled.text, parse(expression).unwrap().to_string());
    }
}

/// Expressions of every node that scaling touches, with durations that divide by 2, 3 and 5.
fn expressions() -> impl Strategy<Value = String> {
    let minutes = (1_u32..20).prop_map(|n| format!("{}m", n * 60));
    let metric = prop::sample::select(vec!["g", "x_total", "ramp", "restarts_total", "up", "a:b"]);
    let leaf = (metric, minutes, prop::option::of(1_u32..5)).prop_flat_map(|(metric, window, offset)| {
        let offset = offset.map(|n| format!(" offset {}m", n * 30)).unwrap_or_default();
        let functions = vec!["rate", "irate", "deriv", "avg_over_time", "count_over_time", "changes"];
        prop::sample::select(functions)
            .prop_map(move |function| format!("{function}({metric}[{window}]{offset})"))
    });
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} / {b} > 0.5")),
            inner.clone().prop_map(|a| format!("sum by (s) ({a})")),
            inner.clone().prop_map(|a| format!("max_over_time(({a})[60m:30m])")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a}) and on (s) ({b})")),
        ]
    })
}

/// Rates of what the drill drives are corrected by a division that two steps write twice.
fn without_corrections(text: &str) -> String {
    text.replace(" / 6)", ")").replace(" / 2)", ")").replace(" / 3)", ")").replace(['(', ')'], "")
}

proptest! {
    #[test]
    fn scaling_by_one_is_the_identity_but_for_formatting(expression in expressions()) {
        let scaled = scale(&expression, 1).unwrap();
        prop_assert_eq!(scaled.text, parse(&expression).unwrap().to_string());
        prop_assert_eq!(scaled.class == Exact, scaled.notes.is_empty());
    }

    #[test]
    fn scaling_twice_is_scaling_by_the_product(expression in expressions()) {
        let once = scale(&expression, 6).unwrap();
        let twice = scale(&scale(&expression, 2).unwrap().text, 3).unwrap();
        prop_assert_eq!(without_corrections(&twice.text), without_corrections(&once.text));
    }

    #[test]
    fn every_scaled_expression_parses(expression in expressions(), factor in 1_u32..300) {
        prop_assert!(parse(&scale(&expression, factor).unwrap().text).is_ok());
    }
}
