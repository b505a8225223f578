//! The kind of an expression that reads raw series only.

use std::time::Duration;

use promql_parser::parser::token::{T_ADD, T_DIV, T_MUL, T_SUB};
use promql_parser::parser::{AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality};

use super::{Aggregation, Comparison, Grouping, Shape};
use crate::promql::bare;
use crate::promql::selectors::SelectorInfo;

pub(super) fn classify(expr: &Expr) -> Shape {
    let expr = bare(expr);
    if let Some(shape) = absent(expr) {
        return shape;
    }
    if constant(expr).is_some() {
        return Shape::Constant { fires: true };
    }
    let Expr::Binary(binary) = expr else {
        return other("it compares nothing: it is true wherever there is a value");
    };
    let Some(op) = Comparison::of(binary.op.id()) else {
        return other(format!("it combines conditions with `{}`", binary.op));
    };
    if binary.return_bool() {
        return other("`bool` keeps every value, so that the alert fires whatever it is");
    }
    match (constant(&binary.lhs), constant(&binary.rhs)) {
        (Some(left), Some(right)) => Shape::Constant { fires: op.holds(left, right) },
        (None, Some(threshold)) => compared(&binary.lhs, op, threshold),
        (Some(threshold), None) => compared(&binary.rhs, op.mirrored(), threshold),
        (None, None) => other("it compares two series"),
    }
}

/// A quantity compared with a number, once the arithmetic around the quantity is solved for.
fn compared(expr: &Expr, op: Comparison, threshold: f64) -> Shape {
    if let Some(shape) = absent(bare(expr)) {
        return if op.holds(1.0, threshold) { shape } else { Shape::Constant { fires: false } };
    }
    let linear = Linear::of(expr);
    if linear.factor == 0.0 {
        return other("it multiplies by zero");
    }
    let op = if linear.factor < 0.0 { op.mirrored() } else { op };
    let threshold = (threshold - linear.summand) / linear.factor;
    match linear.quantity {
        Expr::Binary(binary) if binary.op.id() == T_DIV => ratio(binary, op, threshold),
        Expr::Call(call) if call.func.name == "histogram_quantile" => quantile(call, op, threshold),
        quantity => single(quantity, op, threshold),
    }
}

fn single(quantity: &Expr, op: Comparison, threshold: f64) -> Shape {
    if let Some(Windowed { function, selector, window, aggregation }) = Windowed::of(quantity) {
        return Shape::RateThreshold { function, op, threshold, window, selector, aggregation };
    }
    let (inner, aggregation) = match quantity {
        Expr::Aggregate(aggregate) => (bare(&aggregate.expr), aggregation(aggregate)),
        plain => (plain, None),
    };
    match inner {
        Expr::VectorSelector(selector)
            if selector.at.is_none()
                && (aggregation.is_some() || matches!(quantity, Expr::VectorSelector(_))) =>
        {
            Shape::Gauge { op, threshold, selector: SelectorInfo::of(selector, None), aggregation }
        }
        _ => other(format!("`{quantity}` is no shape that is known")),
    }
}

fn ratio(division: &BinaryExpr, op: Comparison, threshold: f64) -> Shape {
    if let Some(modifier) = &division.modifier
        && modifier.card != VectorMatchCardinality::OneToOne
    {
        return other("its ratio matches many series with one");
    }
    let (above, below) = (Linear::of(&division.lhs), Linear::of(&division.rhs));
    let (Some(bad), Some(total)) = (Windowed::of(above.quantity), Windowed::of(below.quantity)) else {
        return other("its ratio is not one of two rates");
    };
    if above.summand != 0.0 || below.summand != 0.0 || above.factor <= 0.0 || below.factor <= 0.0 {
        return other("its ratio has summands");
    }
    if bad.window != total.window || bad.function != total.function {
        return other("the two rates of its ratio differ in function or window");
    }
    let sums = |windowed: &Windowed| windowed.aggregation.as_ref().is_none_or(|how| how.operator == "sum");
    if !sums(&bad) || !sums(&total) {
        return other("its ratio is not one of sums");
    }
    Shape::Ratio {
        op,
        threshold: threshold * below.factor / above.factor,
        window: bad.window,
        by: bad.aggregation.map_or(Grouping::None, |how| how.by),
        bad: bad.selector,
        total: total.selector,
    }
}

fn quantile(call: &Call, op: Comparison, threshold: f64) -> Shape {
    let [quantile, buckets] = &call.args.args[..] else { return other("a quantile takes two arguments") };
    let (Some(quantile), Some(windowed)) = (constant(quantile), Windowed::of(bare(buckets))) else {
        return other("its quantile is not one of the rates of a histogram");
    };
    if windowed.aggregation.as_ref().is_some_and(|how| how.operator != "sum") {
        return other("its buckets are not summed");
    }
    Shape::Quantile {
        quantile,
        op,
        threshold,
        window: windowed.window,
        selector: windowed.selector,
        by: windowed.aggregation.map_or(Grouping::None, |how| how.by),
    }
}

fn absent(expr: &Expr) -> Option<Shape> {
    let Expr::Call(call) = expr else { return None };
    let [argument] = &call.args.args[..] else { return None };
    let selector = match (call.func.name, bare(argument)) {
        ("absent", Expr::VectorSelector(selector)) => SelectorInfo::of(selector, None),
        ("absent_over_time", Expr::MatrixSelector(matrix)) => {
            SelectorInfo::of(&matrix.vs, Some(matrix.range))
        }
        _ => return None,
    };
    Some(Shape::Absent { selector })
}

/// The value of an expression that reads no series.
fn constant(expr: &Expr) -> Option<f64> {
    match bare(expr) {
        Expr::NumberLiteral(number) => Some(number.val),
        Expr::Unary(unary) => constant(&unary.expr).map(|value| -value),
        Expr::Call(call) if matches!(call.func.name, "vector" | "scalar") => {
            constant(call.args.args.first()?)
        }
        Expr::Binary(binary) => {
            let (left, right) = (constant(&binary.lhs)?, constant(&binary.rhs)?);
            match binary.op.id() {
                T_ADD => Some(left + right),
                T_SUB => Some(left - right),
                T_MUL => Some(left * right),
                T_DIV => Some(left / right),
                _ => None,
            }
        }
        _ => None,
    }
}

/// An expression as `factor * quantity + summand`.
struct Linear<'a> {
    quantity: &'a Expr,
    factor: f64,
    summand: f64,
}

impl<'a> Linear<'a> {
    fn of(expr: &'a Expr) -> Self {
        let expr = bare(expr);
        let plain = Self { quantity: expr, factor: 1.0, summand: 0.0 };
        match expr {
            Expr::Unary(unary) => Self::of(&unary.expr).times(-1.0),
            Expr::Binary(binary) => match (constant(&binary.lhs), constant(&binary.rhs), binary.op.id()) {
                (None, Some(number), T_MUL) => Self::of(&binary.lhs).times(number),
                (None, Some(number), T_DIV) => Self::of(&binary.lhs).times(1.0 / number),
                (None, Some(number), T_ADD) => Self::of(&binary.lhs).plus(number),
                (None, Some(number), T_SUB) => Self::of(&binary.lhs).plus(-number),
                (Some(number), None, T_MUL) => Self::of(&binary.rhs).times(number),
                (Some(number), None, T_ADD) => Self::of(&binary.rhs).plus(number),
                (Some(number), None, T_SUB) => Self::of(&binary.rhs).times(-1.0).plus(number),
                _ => plain,
            },
            _ => plain,
        }
    }

    fn times(self, number: f64) -> Self {
        Self { factor: self.factor * number, summand: self.summand * number, ..self }
    }

    fn plus(self, number: f64) -> Self {
        Self { summand: self.summand + number, ..self }
    }
}

/// A rate of a window of raw samples, aggregated at most once.
struct Windowed {
    function: String,
    selector: SelectorInfo,
    window: Duration,
    aggregation: Option<Aggregation>,
}

impl Windowed {
    fn of(expr: &Expr) -> Option<Self> {
        match bare(expr) {
            Expr::Aggregate(aggregate) => {
                let inner = Self::of(&aggregate.expr).filter(|inner| inner.aggregation.is_none())?;
                Some(Self { aggregation: Some(aggregation(aggregate)?), ..inner })
            }
            Expr::Call(call) if matches!(call.func.name, "rate" | "irate" | "increase") => {
                let Expr::MatrixSelector(matrix) = bare(call.args.args.first()?) else { return None };
                if matrix.vs.at.is_some() {
                    return None;
                }
                Some(Self {
                    function: call.func.name.to_owned(),
                    selector: SelectorInfo::of(&matrix.vs, Some(matrix.range)),
                    window: matrix.range,
                    aggregation: None,
                })
            }
            _ => None,
        }
    }
}

/// `None` for aggregations with a parameter: they choose or count instead of combining.
fn aggregation(aggregate: &AggregateExpr) -> Option<Aggregation> {
    let by = match &aggregate.modifier {
        None => Grouping::By(Vec::new()),
        Some(LabelModifier::Include(labels)) => Grouping::By(labels.labels.clone()),
        Some(LabelModifier::Exclude(labels)) => Grouping::Without(labels.labels.clone()),
    };
    aggregate.param.is_none().then(|| Aggregation { operator: aggregate.op.to_string(), by })
}

fn other(reason: impl Into<String>) -> Shape {
    Shape::Other { reason: reason.into() }
}
