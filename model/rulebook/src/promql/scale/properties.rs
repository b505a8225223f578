//! What holds for every expression: of every class of function, over metrics of every driver.

use promql_parser::parser::token::{T_DIV, T_MUL};
use promql_parser::parser::{Expr, NumberLiteral};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::tests::{scale, scale_again};
use crate::change::ChangeClass::{self, Exact};
use crate::promql::{bare, parse};

/// Windows, steps and offsets in hours divide by 2, 3, 5 and 7 without a rest, also twice.
const UNITS: [&str; 5] = ["1h", "2h", "5h", "7h", "1d"];

fn metric() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "g",
        "queue",
        "x_total",
        "y_bucket",
        "ramp",
        "restarts_total",
        "up",
        "redis_up",
        "a:b",
        "a:rate",
        "a:ratio",
        r#"x_total{a="1",b=~"2|3"}"#,
        r#"{job="j"}"#,
    ])
}

fn offset() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(String::new()),
        1 => prop::sample::select(vec![" offset 1h", " offset -1h", " @ end()", " @ start() offset 30m"]).prop_map(str::to_owned),
    ]
}

/// A function of a window, of every class that can be compressed.
fn over(window: &str) -> impl Strategy<Value = String> + use<> {
    let plain = vec![
        "rate",
        "irate",
        "deriv",
        "increase",
        "delta",
        "idelta",
        "changes",
        "resets",
        "avg_over_time",
        "sum_over_time",
        "count_over_time",
        "min_over_time",
        "max_over_time",
        "last_over_time",
        "stddev_over_time",
        "stdvar_over_time",
        "present_over_time",
        "absent_over_time",
    ];
    prop_oneof![
        8 => prop::sample::select(plain).prop_map({
            let window = window.to_owned();
            move |function| format!("{function}({window})")
        }),
        1 => Just(format!("predict_linear({window}, 4 * 3600)")),
        1 => Just(format!("predict_linear({window}, 7200)")),
        1 => Just(format!("quantile_over_time(0.9, {window})")),
        1 => Just(format!("holt_winters({window}, 0.3, 0.6)")),
    ]
}

fn leaf() -> impl Strategy<Value = String> {
    let instant = (metric(), offset()).prop_map(|(metric, offset)| format!("{metric}{offset}"));
    let window = (metric(), prop::sample::select(UNITS.to_vec()), offset())
        .prop_map(|(metric, window, offset)| format!("{metric}[{window}]{offset}"));
    let difference = prop::sample::select(vec!["x_total - x_total offset 1h", "g - g offset 2h"]);
    prop_oneof![1 => instant, 6 => window.prop_flat_map(|window| over(&window)), 1 => difference.prop_map(|text| format!("({text})"))]
}

/// Expressions that can be compressed at every factor that their durations divide by.
fn compressible() -> impl Strategy<Value = String> {
    leaf().prop_recursive(3, 16, 2, |inner| {
        let wrapped = inner.clone().prop_flat_map(|a| {
            prop::sample::select(vec![
                format!("sum by (s) ({a})"),
                format!("count({a})"),
                format!("topk(3, {a})"),
                format!("histogram_quantile(0.95, {a})"),
                format!("clamp_max({a}, 5)"),
                format!(r#"label_replace({a}, "x", "$1", "y", "(.*)\\.z")"#),
                format!("absent({a})"),
                format!("-({a})"),
                format!("({a}) * 300"),
                format!("60 / ({a})"),
                format!("({a}) > bool 0"),
            ])
        });
        let subquery = (inner.clone(), offset()).prop_flat_map(|(a, offset)| {
            prop_oneof![over(&format!("({a})[1d:1h]{offset}")), over(&format!("({a})[5h:]{offset}"))]
        });
        let pair = (
            inner.clone(),
            inner,
            prop::sample::select(vec![
                "+",
                "-",
                "/",
                "*",
                "> on (s)",
                "and on (s)",
                "unless",
                "or",
                "<= bool",
                "% ignoring (s) group_left ()",
            ]),
        );
        prop_oneof![wrapped, subquery, pair.prop_map(|(a, b, op)| format!("({a}) {op} ({b})"))]
    })
}

/// Expressions of which some cannot be compressed, and some only by small factors.
fn any_expression() -> impl Strategy<Value = String> {
    let hard = prop::sample::select(vec![
        "time() - process_start_time_seconds",
        "hour()",
        "timestamp(up)",
        "node_load1",
        "rate(x_total[30s])",
        "up @ 1609746000",
    ]);
    let short = (2_u32..100).prop_map(|ms| format!("max_over_time(g[1h:{ms}ms])"));
    let odd = (61_u32..10_000).prop_map(|s| format!("increase(x_total[{s}s])"));
    let part = prop_oneof![3 => compressible(), 1 => hard.prop_map(str::to_owned), 3 => short, 3 => odd];
    (part.clone(), part).prop_map(|(a, b)| format!("({a}) / ({b}) > 0.5"))
}

/// The normal form of an expression: parentheses left out, and all number factors of a product or quotient folded into
/// one coefficient, to nine digits. Scaling twice writes two corrections where scaling once writes one.
fn normal(expr: &Expr) -> String {
    let (coefficient, rest) = folded(expr);
    match rest {
        None => format!("{coefficient:.8e}"),
        Some(rest) if (coefficient - 1.0).abs() < 1e-9 => rest,
        Some(rest) => format!("{coefficient:.8e}*{rest}"),
    }
}

/// An expression as a number times what is left; nothing is left of a number.
fn folded(expr: &Expr) -> (f64, Option<String>) {
    match bare(expr) {
        Expr::NumberLiteral(NumberLiteral { val }) => (*val, None),
        Expr::Binary(binary) if [T_MUL, T_DIV].contains(&binary.op.id()) && binary.modifier.is_none() => {
            let ((a, lhs), (b, rhs)) = (folded(&binary.lhs), folded(&binary.rhs));
            let divides = binary.op.id() == T_DIV;
            let coefficient = if divides { a / b } else { a * b };
            match (lhs, rhs) {
                (lhs, None) => (coefficient, lhs),
                (None, Some(rhs)) if divides => (coefficient, Some(format!("1/({rhs})"))),
                (None, Some(rhs)) => (coefficient, Some(rhs)),
                (Some(lhs), Some(rhs)) => (coefficient, Some(format!("({lhs}){}({rhs})", binary.op))),
            }
        }
        other => (1.0, Some(normal_of_parts(other))),
    }
}

/// Every other node, its parts in normal form.
fn normal_of_parts(expr: &Expr) -> String {
    match expr {
        Expr::Aggregate(aggregate) => {
            let param = aggregate.param.as_ref().map(|param| normal(param)).unwrap_or_default();
            format!("{}{:?}({param},{})", aggregate.op, aggregate.modifier, normal(&aggregate.expr))
        }
        Expr::Unary(unary) => format!("-({})", normal(&unary.expr)),
        Expr::Binary(binary) => {
            format!("({}){}{:?}({})", normal(&binary.lhs), binary.op, binary.modifier, normal(&binary.rhs))
        }
        Expr::Paren(paren) => normal(&paren.expr),
        Expr::Subquery(subquery) => {
            let (range, step) = (subquery.range, subquery.step);
            format!("({})[{range:?}:{step:?}]{:?}{:?}", normal(&subquery.expr), subquery.offset, subquery.at)
        }
        Expr::Call(call) => {
            let arguments: Vec<_> = call.args.args.iter().map(|argument| normal(argument)).collect();
            format!("{}({})", call.func.name, arguments.join(","))
        }
        Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => expr.to_string(),
    }
}

fn normal_text(text: &str) -> String {
    normal(&parse(text).unwrap())
}

proptest! {
    #[test]
    fn scaling_by_one_is_the_identity_but_for_formatting(expression in any_expression()) {
        let scaled = scale(&expression, 1).unwrap();
        prop_assert_eq!(scaled.text, parse(&expression).unwrap().to_string());
        prop_assert_eq!((scaled.class, scaled.notes.len()), (Exact, 0));
    }

    #[test]
    fn scaling_twice_is_scaling_by_the_product(
        expression in compressible(),
        (a, b) in prop::sample::select(vec![(2, 3), (3, 2), (5, 2), (6, 10), (2, 30), (4, 15)]),
    ) {
        let once = scale(&expression, a * b).unwrap();
        let twice = scale_again(&scale(&expression, a).unwrap().text, b, a).unwrap();
        prop_assume!(once.class != ChangeClass::Adjusted && twice.class != ChangeClass::Adjusted);
        prop_assert_eq!(normal_text(&twice.text), normal_text(&once.text), "{} | {}", twice.text, once.text);
    }

    #[test]
    fn every_scaled_expression_parses(expression in any_expression(), factor in 1_u32..300) {
        if let Ok(scaled) = scale(&expression, factor) {
            prop_assert!(parse(&scaled.text).is_ok());
            prop_assert_eq!(scaled.class == Exact, scaled.notes.is_empty());
        }
    }

    #[test]
    fn the_largest_factor_is_true(expression in any_expression(), factor in 2_u32..300) {
        match scale(&expression, factor).map_err(|refused| refused.largest_factor) {
            Ok(_) => {}
            Err(None) => prop_assert!(scale(&expression, 2).is_err()),
            Err(Some(largest)) => {
                prop_assert!(largest > 1 && largest < factor);
                prop_assert!(scale(&expression, largest).is_ok());
                prop_assert!(scale(&expression, largest + 1).is_err());
            }
        }
    }
}

#[test]
fn the_normal_form_folds_corrections_and_nothing_else() {
    for (a, b) in [
        ("(rate(x[5m]) / 2) / 3", "rate(x[5m]) / 6"),
        ("((increase(x[5m]) * 3) * 2) > 4", "(increase(x[5m]) * 6) > 4"),
        ("predict_linear(x[5m], ((4 * 3600) / 6))", "predict_linear(x[5m], 2400)"),
    ] {
        assert_eq!(normal_text(a), normal_text(b));
    }
    for (a, b) in
        [("x / 2", "x * 2"), ("2 / x", "x / 2"), ("x + 2", "x * 2"), ("a / b", "b / a"), ("x[5m]", "x[6m]")]
    {
        assert_ne!(normal_text(a), normal_text(b));
    }
}

/// `promtool` is needed: without it this test fails.
#[test]
fn promtool_accepts_a_sample_of_what_is_written() {
    let mut runner = TestRunner::deterministic();
    let mut rules = "groups:\n- name: g\n  rules:\n".to_owned();
    for index in 0..200 {
        let expression = compressible().new_tree(&mut runner).unwrap().current();
        for factor in [7, 60] {
            let scaled = scale(&expression, factor).unwrap().text.replace('\'', "''");
            writeln!(rules, "  - alert: A{index}By{factor}\n    expr: '{scaled}'").unwrap();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yml"), rules).unwrap();
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/promtool");
    let promtool = if ours.exists() { ours } else { "promtool".into() };
    let output = Command::new(promtool)
        .args(["check", "rules", "rules.yml"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("400 rules found"), "{said}");
}
