//! The table of drivers, proved by Prometheus' own engine: the same series at two speeds, and each expression has the
//! value that was worked out by hand at both. `promtool` is needed: without it this test fails.
//!
//! At a factor of 60, samples are 250 ms apart instead of 15 s. What the load drives grows by as much in each real
//! second, what the drill drives by as much from sample to sample.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use super::tests::scale;

const FACTOR: u32 = 60;

/// The interval of samples, and half an hour of the drill.
const REAL_TIME: (&str, &str) = ("15s", "30m");
const COMPRESSED_TIME: (&str, &str) = ("250ms", "30s");

/// Series of the load: at 2 each second. Series of the drill: at 3, or 1, each sample.
const REAL: [(&str, &str); 5] = [
    ("x_total", "0+30x240"),
    ("queue", "0+30x240"),
    ("ramp", "0+3x240"),
    ("restarts_total", "0+1x240"),
    ("up", "1x240"),
];
const COMPRESSED: [(&str, &str); 5] = [
    ("x_total", "0+0.5x240"),
    ("queue", "0+0.5x240"),
    ("ramp", "0+3x240"),
    ("restarts_total", "0+1x240"),
    ("up", "1x240"),
];

/// Expressions and a thousand times their value after half an hour of the drill, which is 120 samples.
const EXPECTED: [(&str, i64); 26] = [
    ("rate(x_total[5m])", 2_000),
    ("irate(x_total[5m])", 2_000),
    ("deriv(queue[5m])", 2_000),
    ("increase(x_total[5m])", 600_000),
    ("increase(x_total[5m] offset 10m)", 600_000),
    ("delta(queue[5m])", 600_000),
    ("idelta(queue[5m])", 30_000),
    ("x_total - x_total offset 5m", 600_000),
    ("rate(x_total[5m]) * 300", 600_000),
    ("increase(x_total[5m]) / 300", 2_000),
    ("increase(x_total[5m]) / increase(x_total[10m])", 500),
    ("max_over_time(rate(x_total[5m])[10m:1m])", 2_000),
    ("max_over_time(increase(x_total[5m])[10m:1m] offset 2m)", 600_000),
    ("rate(restarts_total[10m])", 67),
    ("rate(restarts_total[10m]) * 600", 40_000),
    ("increase(restarts_total[5m])", 20_000),
    ("restarts_total - restarts_total offset 5m", 20_000),
    ("resets(restarts_total[5m])", 0),
    ("delta(ramp[5m])", 60_000),
    ("idelta(ramp[5m])", 3_000),
    ("deriv(ramp[5m])", 200),
    // The ramp is at 360 and rises by 0.2 each second of the drill.
    ("predict_linear(ramp[5m], 600)", 480_000),
    ("predict_linear(ramp[5m], 10 * 60)", 480_000),
    ("ramp offset 5m", 300_000),
    ("last_over_time(ramp[5m])", 360_000),
    ("sum_over_time(up[5m]) / count_over_time(up[5m])", 1_000),
];

fn tests_of(
    (interval, eval_time): (&str, &str),
    series: &[(&str, &str)],
    expression: impl Fn(&str) -> String,
) -> String {
    let mut text = format!("- interval: {interval}\n  input_series:\n");
    for (name, values) in series {
        writeln!(text, "  - {{series: {name}, values: '{values}'}}").unwrap();
    }
    text += "  promql_expr_test:\n";
    for (source, value) in EXPECTED {
        let expr = expression(source);
        writeln!(
            text,
            "  - {{expr: 'round(sum({expr}) * 1000)', eval_time: {eval_time}, exp_samples: [{{labels: '{{}}', value: {value}}}]}}"
        )
        .unwrap();
    }
    text
}

/// Whether `promtool` finds the values that are expected, and what it says.
fn holds(real: &str, compressed: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("evaluation_interval: 250ms\ntests:\n{real}{compressed}");
    std::fs::write(folder.path().join("tests.yml"), file).unwrap();
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/promtool");
    let promtool = if ours.exists() { ours } else { "promtool".into() };
    let output = Command::new(promtool)
        .args(["test", "rules", "tests.yml"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success() && said.contains("SUCCESS"), said)
}

#[test]
fn every_function_has_the_same_value_at_both_speeds() {
    let real = tests_of(REAL_TIME, &REAL, str::to_owned);
    let compressed =
        tests_of(COMPRESSED_TIME, &COMPRESSED, |expression| scale(expression, FACTOR).unwrap().text);
    let (holds, said) = holds(&real, &compressed);
    assert!(holds, "{said}");
}

#[test]
fn without_its_corrections_an_expression_has_another_value() {
    let uncorrected = |expression: &str| {
        scale(expression, FACTOR).unwrap().text.replace(" * 60)", " * 1)").replace(" / 60)", " / 1)")
    };
    let (holds, said) = holds("", &tests_of(COMPRESSED_TIME, &COMPRESSED, uncorrected));
    assert!(!holds && said.contains("increase(x_total[5s]) * 1"), "{said}");
}
