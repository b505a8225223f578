use std::sync::LazyLock;
use std::time::Duration;

use super::{NotCompressible, Sampling, ScaledExpression, Scaling};
use crate::change::ChangeClass::{self, Adjusted, Assumed, Exact};
use crate::firedrill_yaml::FiredrillConfig;
use crate::promql::{RecordingRules, parse};
use crate::rules::{LoadedRules, RuleFile};

/// Scales an expression of a configuration that samples every 15 s and evaluates every minute.
pub(super) fn scale(expression: &str, factor: u32) -> Result<ScaledExpression, NotCompressible> {
    scale_again(expression, factor, 1)
}

/// Scales an expression of a configuration that was scaled by `before` already.
pub(super) fn scale_again(
    expression: &str,
    factor: u32,
    before: u32,
) -> Result<ScaledExpression, NotCompressible> {
    let (declared, rules) = &*CONFIGURATION;
    let sampling = |_: &_| Sampling { interval: Duration::from_secs(15) / before, slowest_of_several: None };
    let evaluation_interval = Duration::from_mins(1) / before;
    Scaling { factor, declared, rules, sampling: &sampling, evaluation_interval }.expression(expression)
}

static CONFIGURATION: LazyLock<(FiredrillConfig, RecordingRules)> = LazyLock::new(|| {
    let declared = "drivers: {ramp: drill, queue: load, restarts_total: drill}";
    let rules = LoadedRules { files: vec![("r.yml".to_owned(), RuleFile::parse(RULES).unwrap())] };
    (FiredrillConfig::parse(declared).unwrap(), RecordingRules::of(&rules).unwrap())
});

const RULES: &str = "
groups:
- name: g
  rules:
  - {record: 'a:b', expr: 'sum(x_total)'}
  - {record: 'a:rate', expr: 'sum(rate(x_total[5m]))'}
  - {record: 'a:ratio', expr: 'a:rate / sum(rate(y_total[5m]))'}
  - {record: 'a:deriv', expr: 'deriv(g[10m])'}
  - {record: 'a:loop', expr: 'a:pool + 0 * sum(x_total)'}
  - {record: 'a:pool', expr: 'a:loop'}
  - {record: 'a:rounded', expr: 'avg_over_time(up[100s])'}
";

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
    assert_scaled("predict_linear(queue[5m], 3600)", "predict_linear(queue[5s], 3600)", Assumed);
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
    for function in ["sum_over_time", "count_over_time", "avg_over_time", "last_over_time"] {
        assert_scaled(&format!("{function}(g[5m])"), &format!("{function}(g[5s])"), Exact);
    }
}

#[test]
fn what_cannot_be_compressed_is_refused_at_any_factor() {
    for expression in [
        "time() - process_start_time_seconds > 3600",
        "time() - x_timestamp_seconds > 60",
        "a_timestamp_seconds - b_timestamp_seconds > 60",
        "node_time_seconds - node_boot_time_seconds > 600",
        "redis_uptime_in_seconds < 300",
        "timestamp(up) > 0",
        "hour() > 8 and up == 0",
        "hour(vector(time())) > 8",
        "day_of_week(x_timestamp_seconds) == 0",
        "days_in_month() == 31",
        "node_load5 > 4",
        "avg_over_time(node_load1[5m]) > 4",
        "sum(node_load1) / count(node_cpu_seconds_total) > 1",
        "rate(x_total[30s])",
        "absent_over_time(up[30s])",
        "max_over_time(g[3m:])",
        "max_over_time(g[3m:1m])",
        "x_total @ 1609746000",
        "max_over_time(g[5m:1m] @ 1609746000)",
        "rate(x_total[5m] @ 1609746000)",
        "ts_of_max_over_time(g[5m])",
    ] {
        let refused = scale(expression, 2).unwrap_err();
        assert_eq!(refused.largest_factor, None, "{expression}: {}", refused.reason);
    }
}

#[test]
fn a_duration_that_would_vanish_is_refused_with_the_largest_factor() {
    assert_eq!(scale("max_over_time(g[5m:10ms])", 60).unwrap_err().largest_factor, Some(10));
    assert!(scale("max_over_time(g[5m:10ms])", 10).is_ok());
    assert!(scale("max_over_time(g[5m:10ms])", 11).is_err());
    assert_eq!(
        scale("max_over_time(g[5m:1ms])", 60).unwrap_err().largest_factor,
        None,
        "1 is no compression"
    );
}

#[test]
fn all_problems_are_told_with_the_part_and_its_place() {
    let refused = scale(
        "x > 0 and time() - x_timestamp_seconds > 60 and rate(y_total[30s]) > max_over_time(g[5m:10ms])",
        60,
    );
    assert_eq!(
        refused.unwrap_err().reason,
        "`time()` (byte 10) reads the clock, which is not compressed; \
         `x_timestamp_seconds` (byte 19) is a moment of the clock, which is not compressed; \
         `y_total[30s]` (byte 53) holds fewer than 4 samples 15s apart; \
         `g[5m:10ms]` (byte 83) has the step 10ms, which would vanish"
    );
}

#[test]
fn the_largest_factor_is_the_one_that_all_problems_allow() {
    let steps = "max_over_time(g[5m:30ms]) > max_over_time(g[5m:20ms])";
    assert_eq!(scale(steps, 60).unwrap_err().largest_factor, Some(20));
    assert_eq!(scale(&format!("{steps} and time() > 5"), 60).unwrap_err().largest_factor, None);
}

#[test]
fn what_is_only_asked_for_being_there_may_follow_the_clock() {
    for (expression, expected) in [
        ("absent(process_start_time_seconds)", "absent(process_start_time_seconds)"),
        ("count(x_timestamp_seconds) < 3", "count(x_timestamp_seconds) < 3"),
        ("x_timestamp_seconds == 0", "x_timestamp_seconds == 0"),
        ("up == 0 unless on (i) node_load1", "up == 0 unless on (i) node_load1"),
        ("changes(process_start_time_seconds[15m]) > 2", "changes(process_start_time_seconds[15s]) > 2"),
        ("resets(x_uptime_seconds[1h:5m]) > 0 or up", "resets(x_uptime_seconds[1m:5s]) > 0 or up"),
        ("g unless g offset 5m", "g unless g offset 5s"),
    ] {
        let scaled = scale(expression, 60).unwrap();
        assert_eq!(scaled.text, expected);
        assert_eq!(
            scaled.class == Assumed,
            expression.starts_with("resets"),
            "{expression}: {:?}",
            scaled.notes
        );
    }
}

#[test]
fn the_calendar_of_a_constant_is_constant() {
    assert_scaled("hour(vector(1700000000)) > 8", "hour(vector(1700000000)) > 8", Exact);
}

#[test]
fn instants_of_the_evaluation_itself_are_kept() {
    assert_scaled("up @ start() == 0", "up @ start() == 0", Exact);
    assert_scaled("max_over_time(up[5m] @ end())", "max_over_time(up[5s] @ end())", Exact);
}

#[test]
fn offsets_are_divided_in_both_directions() {
    assert_scaled("up offset 5m == 0", "up offset 5s == 0", Exact);
    assert_scaled("up offset -5m == 0", "up offset -5s == 0", Exact);
    assert_scaled("rate(x_total[5m] offset -1h)", "rate(x_total[5s] offset -1m)", Exact);
    assert_scaled("max_over_time(up[10m:1m] offset 5m)", "max_over_time(up[10s:1s] offset 5s)", Exact);
}

#[test]
fn a_difference_written_by_hand_is_an_increase() {
    assert_scaled("x_total - x_total offset 5m > 9", "((x_total - x_total offset 5s) * 60) > 9", Exact);
    assert_scaled(
        "sum by (a) (x_total) - sum by (a) (x_total offset 5m)",
        "((sum by (a) (x_total) - sum by (a) (x_total offset 5s)) * 60)",
        Exact,
    );
    assert_scaled(
        "restarts_total - restarts_total offset 5m",
        "restarts_total - restarts_total offset 5s",
        Exact,
    );
    assert_scaled("x_total - y_total offset 5m", "x_total - y_total offset 5s", Assumed);
}

#[test]
fn the_level_of_a_counter_of_the_load_is_assumed() {
    assert_scaled("x_total > 100", "x_total > 100", Assumed);
    assert_scaled("sum(x_total) / sum(y_total) > 0.1", "sum(x_total) / sum(y_total) > 0.1", Assumed);
    assert_scaled("max_over_time(x_total[5m]) > 5", "max_over_time(x_total[5s]) > 5", Assumed);
    assert_scaled("a:b > 5", "a:b > 5", Assumed);
    assert_scaled("queue > 5", "queue > 5", Assumed);
    assert_scaled("predict_linear(queue[5m], 60) > 5", "predict_linear(queue[5s], 60) > 5", Assumed);
    assert_scaled("x_total > 0", "x_total > 0", Exact);
    assert_scaled("restarts_total > 5", "restarts_total > 5", Exact);
    assert_scaled("count(x_total) > 5", "count(x_total) > 5", Exact);
    assert_scaled("stddev_over_time(x_total[5m]) > 5", "stddev_over_time(x_total[5s]) > 5", Assumed);
    assert_scaled("stddev_over_time(g[5m]) > 5", "stddev_over_time(g[5s]) > 5", Assumed);
}

#[test]
fn a_rate_is_a_level_that_moves_with_the_drill() {
    assert_scaled("deriv(a:rate[10m]) > 1", "(deriv(a:rate[10s]) / 60) > 1", Exact);
    assert_scaled("delta(a:ratio[10m]) > 1", "delta(a:ratio[10s]) > 1", Exact);
    assert_scaled("a:rate > 2 * a:rate offset 1h", "a:rate > 2 * a:rate offset 1m", Exact);
    assert_scaled(
        "predict_linear(rate(x_total[5m])[1h:1m], 3600)",
        "predict_linear(rate(x_total[5s])[1m:1s], 60)",
        Exact,
    );
}

#[test]
fn numbers_of_seconds_stay_as_the_functions_beside_them_keep_their_values() {
    assert_scaled("rate(x_total[5m]) * 300 > 9", "rate(x_total[5s]) * 300 > 9", Exact);
    assert_scaled("increase(x_total[5m]) / 300 > 9", "(increase(x_total[5s]) * 60) / 300 > 9", Exact);
    assert_scaled(
        "increase(x_total[5m]) / increase(y_total[5m])",
        "(increase(x_total[5s]) * 60) / (increase(y_total[5s]) * 60)",
        Exact,
    );
}

#[test]
fn what_is_assumed_or_rounded_of_a_recorded_metric_is_so_of_its_readers() {
    let scaled = scale("a:deriv > 1", 60).unwrap();
    assert_eq!(scaled.class, Assumed);
    assert_eq!(scaled.notes, ["recorded a:deriv: deriv(g) is assumed to be driven by load"]);
    let scaled = scale("a:rounded < 1", 60).unwrap();
    assert_eq!(scaled.class, Adjusted);
    assert_eq!(scaled.notes, ["recorded a:rounded: window 1m40s is rounded to 1s667ms"]);
}

#[test]
fn rules_that_record_each_other_are_followed_to_an_end() {
    assert_scaled("a:loop > 5", "a:loop > 5", Assumed);
    assert_scaled("rate(a:pool[5m])", "rate(a:pool[5s])", Assumed);
}

#[test]
fn values_that_may_follow_real_time_are_assumed() {
    assert_scaled("x_lag_seconds > 30", "x_lag_seconds > 30", Assumed);
    assert_scaled(r#"x_seconds{quantile="0.9"} > 1"#, r#"x_seconds{quantile="0.9"} > 1"#, Assumed);
}

#[test]
fn restarts_and_states_of_targets_are_of_the_drill() {
    assert_scaled("increase(x_restarts_total[1h]) > 3", "increase(x_restarts_total[1m]) > 3", Exact);
    assert_scaled("changes(redis_up[10m]) > 3", "changes(redis_up[10s]) > 3", Exact);
    assert_scaled("rate(x_restarts_total[10m]) * 600", "(rate(x_restarts_total[10s]) / 60) * 600", Exact);
}

#[test]
fn the_older_name_of_double_exponential_smoothing_is_known() {
    assert_scaled("holt_winters(g[1h], 0.5, 0.5) > 1", "holt_winters(g[1m], 0.5, 0.5) > 1", Exact);
    assert_scaled(
        "double_exponential_smoothing(g[1h], 0.5, 0.5) > 1",
        "double_exponential_smoothing(g[1m], 0.5, 0.5) > 1",
        Exact,
    );
}

#[test]
fn a_horizon_that_is_computed_is_divided_whole() {
    assert_scaled(
        "predict_linear(ramp[1h], scalar(h) * 60)",
        "predict_linear(ramp[1m], ((scalar(h) * 60) / 60))",
        Exact,
    );
    assert_scaled("predict_linear(ramp[1h], -60)", "predict_linear(ramp[1m], -1)", Exact);
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
        "sum by () (a) / on () b",
        "a + ignoring () b",
        "count_values by (x) (\"v\", a)",
        "quantile(0.9, a) > bool -Inf",
    ] {
        let scaled = scale(expression, 60).unwrap_or_else(|refused| {
            panic!("{expression} {refused:?}: {}", parse(expression).unwrap());
        });
        let printed = parse(expression).unwrap().to_string();
        assert_eq!(scaled.text, printed.replace("[5m]", "[5s]"));
    }
}
