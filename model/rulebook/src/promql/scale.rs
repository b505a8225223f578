//! An expression rewritten for compressed time: every duration divided by one factor, functions over metrics
//! corrected for what drives the metric.
//!
//! | driver | increase, delta, idelta | changes, resets | rate, irate, deriv | horizon of `predict_linear` |
//! |---|---|---|---|---|
//! | load | times the factor | unchanged, assumed | unchanged | unchanged, assumed |
//! | drill | unchanged | unchanged | divided by it | divided by it |
//!
//! A mixed or unknown driver is treated as load and is assumed. Functions that follow the samples
//! (`count_over_time`, `avg_over_time`, …) are the same in both times. The difference of a counter of the load and
//! itself over an offset is an increase, too. The level of such a counter is lower by the factor than in real time after
//! as much of the drill, so comparing it, or predicting from it, is assumed; with zero, it is not. Every function gets
//! back the value it has in real time, so literals stay: a threshold, and also a number of seconds that a rate is
//! multiplied by.
//!
//! Functions are `calls`', their table is `functions`'; what drives a value is `driver`'s; what names say of metrics is
//! `readings`'.

mod calls;
mod driver;
mod functions;
mod noted;
mod readings;

use std::time::Duration;

use promql_parser::parser::token::{T_LAND, T_LOR, T_LUNLESS};
use promql_parser::parser::{
    AtModifier, BinModifier, BinaryExpr, Expr, LabelModifier, MatrixSelector, Offset, SubqueryExpr,
    VectorMatchCardinality, VectorMatchFillValues, VectorSelector,
};

use self::calls::corrected;
use self::driver::{Mover, counts, is_own_difference};
use self::noted::Noted;
use self::readings::{Reading, reading};
use super::selectors::SelectorInfo;
use super::{RecordingRules, bare, parse};
use crate::change::ChangeClass;
use crate::duration::{divide, format_duration, milliseconds};
use crate::firedrill_yaml::{Driver, FiredrillConfig};

/// A window with fewer samples than this says too little to be compared between two speeds.
const FEWEST_SCRAPES: u32 = 4;

/// What an expression is scaled by and in the light of.
#[derive(Clone, Copy)]
pub(crate) struct Scaling<'a> {
    /// The factor.
    pub(crate) factor: u32,
    /// Declared drivers.
    pub(crate) declared: &'a FiredrillConfig,
    /// Recorded metrics have the driver of what they are recorded from.
    pub(crate) rules: &'a RecordingRules,
    /// How far apart the samples of what a selector selects are.
    pub(crate) sampling: &'a dyn Fn(&SelectorInfo) -> Sampling,
    /// Unscaled global evaluation interval: the step of a subquery that has none.
    pub(crate) evaluation_interval: Duration,
}

/// How far apart samples are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sampling {
    /// Unscaled interval between two of them.
    pub(crate) interval: Duration,
    /// Where it is that of the slowest of several jobs, any of which may have the metric: its name.
    pub(crate) slowest_of_several: Option<String>,
}

/// A scaled expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScaledExpression {
    pub(crate) text: String,
    pub(crate) class: ChangeClass,
    /// What was rounded or assumed, empty when nothing was.
    pub(crate) notes: Vec<String>,
}

/// Why an expression cannot be compressed: all reasons, each with the part of the expression it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotCompressible {
    pub(crate) reason: String,
    /// The largest factor at which it could be; `None` when at none but 1.
    pub(crate) largest_factor: Option<u32>,
}

impl NotCompressible {
    pub(crate) fn at_any_factor(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), largest_factor: None }
    }
}

/// What is made of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Everything.
    Value,
    /// It is compared with zero.
    Sign,
    /// It is one side of a difference over an offset.
    Difference,
    /// Only whether it is there.
    Presence,
}

impl Use {
    /// What is made of the parts of something that is not the whole.
    fn of_part(self) -> Self {
        if self == Self::Presence { self } else { Self::Value }
    }
}

impl Scaling<'_> {
    /// Scales an expression. The printed result is read again and must be the tree that was meant.
    pub(crate) fn expression(&self, expression: &str) -> Result<ScaledExpression, NotCompressible> {
        let expr = parse(expression).map_err(|error| NotCompressible::at_any_factor(error.to_string()))?;
        let mut noted = Noted::of(expression.trim());
        if self.factor == 1 {
            return Ok(ScaledExpression { text: expr.to_string(), class: noted.class, notes: noted.notes });
        }
        let scaled = self.expr(&expr, Use::Value, &mut noted);
        if let Some(refused) = noted.refusal() {
            return Err(refused);
        }
        let text = scaled.to_string();
        if parse(&text).as_ref() != Ok(&scaled) {
            return Err(NotCompressible::at_any_factor("the scaled expression cannot be printed faithfully"));
        }
        Ok(ScaledExpression { text, class: noted.class, notes: noted.notes })
    }

    fn expr(&self, expr: &Expr, used: Use, noted: &mut Noted<'_>) -> Expr {
        let mut scaled = expr.clone();
        match &mut scaled {
            Expr::Aggregate(aggregate) => {
                // `by ()` is printed as nothing, and is nothing.
                if matches!(&aggregate.modifier, Some(LabelModifier::Include(labels)) if labels.is_empty()) {
                    aggregate.modifier = None;
                }
                let inner = if counts(aggregate.op) { Use::Presence } else { used };
                *aggregate.expr = self.expr(&aggregate.expr, inner, noted);
                if let Some(param) = &mut aggregate.param {
                    **param = self.expr(param, Use::Value, noted);
                }
            }
            Expr::Unary(unary) => *unary.expr = self.expr(&unary.expr, used, noted),
            Expr::Binary(binary) => return self.binary(binary, used, noted),
            Expr::Paren(paren) => *paren.expr = self.expr(&paren.expr, used, noted),
            Expr::Subquery(subquery) => self.subquery(subquery, used, noted),
            Expr::VectorSelector(selector) => self.instant(selector, used, noted),
            Expr::MatrixSelector(matrix) => self.matrix(matrix, used, noted),
            Expr::Call(call) => return self.call(call, used, noted),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
        }
        scaled
    }

    fn binary(&self, binary: &BinaryExpr, used: Use, noted: &mut Noted<'_>) -> Expr {
        let mut scaled = binary.clone();
        if scaled.modifier.as_ref().is_some_and(says_nothing) {
            scaled.modifier = None;
        }
        let comparison = binary.op.is_comparison_operator();
        let increase = is_own_difference(binary)
            && self.mover(&binary.lhs) == Mover::One(Driver::Load)
            && used != Use::Presence;
        let (lhs, rhs) = match binary.op.id() {
            T_LAND | T_LUNLESS => (used, Use::Presence),
            T_LOR => (used, used),
            _ if increase => (Use::Difference, Use::Difference),
            _ if comparison => {
                let side = |other: &Expr| if is_zero(other) { Use::Sign } else { Use::Value };
                (side(&binary.rhs), side(&binary.lhs))
            }
            _ => (used.of_part(), used.of_part()),
        };
        for (side, other) in [(&binary.lhs, &binary.rhs), (&binary.rhs, &binary.lhs)] {
            if comparison && !is_zero(other) && self.accumulates(side) {
                noted.assume(format!(
                    "`{side}` is compared as a level: it is assumed not to grow with how long the load lasts"
                ));
            }
        }
        *scaled.lhs = self.expr(&binary.lhs, lhs, noted);
        *scaled.rhs = self.expr(&binary.rhs, rhs, noted);
        if increase {
            corrected(&format!("(({}) * {})", Expr::Binary(scaled), self.factor), binary, noted)
        } else {
            Expr::Binary(scaled)
        }
    }

    fn subquery(&self, subquery: &mut SubqueryExpr, used: Use, noted: &mut Noted<'_>) {
        let whole = Expr::Subquery(subquery.clone());
        refuse_fixed_instant(subquery.at.as_ref(), &whole, noted);
        let step = subquery.step.unwrap_or(self.evaluation_interval);
        let steps = format!("steps {} apart", format_duration(step));
        refuse_few_samples(&whole, subquery.range, step, &steps, noted);
        *subquery.expr = self.expr(&subquery.expr, used, noted);
        subquery.range = self.duration(subquery.range, "subquery", &whole, noted);
        subquery.step = subquery.step.map(|step| self.duration(step, "step", &whole, noted));
        subquery.offset = self.offset(subquery.offset.as_ref(), &whole, noted);
    }

    fn matrix(&self, matrix: &mut MatrixSelector, used: Use, noted: &mut Noted<'_>) {
        let whole = Expr::MatrixSelector(matrix.clone());
        let Sampling { interval, slowest_of_several } =
            (self.sampling)(&SelectorInfo::of(&matrix.vs, Some(matrix.range)));
        let mut samples = format!("samples {} apart", format_duration(interval));
        if let Some(job) = slowest_of_several {
            samples = format!("{samples}, as job {job} is scraped, from which it may be");
        }
        refuse_few_samples(&whole, matrix.range, interval, &samples, noted);
        self.selector(&mut matrix.vs, &whole, used, noted);
        matrix.range = self.duration(matrix.range, "window", &whole, noted);
    }

    fn instant(&self, selector: &mut VectorSelector, used: Use, noted: &mut Noted<'_>) {
        let over_offset = selector.offset.is_some() && !matches!(used, Use::Presence | Use::Difference);
        let mover = self.mover_of(&SelectorInfo::of(selector, None));
        if over_offset && !matches!(mover, Mover::One(Driver::Drill) | Mover::Nothing) {
            noted.assume("a value compared over an offset is assumed to move with the drill");
        }
        let whole = Expr::VectorSelector(selector.clone());
        self.selector(selector, &whole, used, noted);
    }

    fn selector(&self, selector: &mut VectorSelector, whole: &Expr, used: Use, noted: &mut Noted<'_>) {
        refuse_fixed_instant(selector.at.as_ref(), whole, noted);
        let info = SelectorInfo::of(selector, None);
        let metric = info.metric.as_deref().unwrap_or_default();
        if !self.rules.recording(metric).is_empty() {
            self.recorded(metric, noted);
        } else if metric.contains(':') && !self.declared.drivers.contains_key(metric) {
            noted.assume(format!("{metric} is recorded by a rule that is not known here"));
        } else if used == Use::Value || used == Use::Difference {
            match reading(&info) {
                Reading::Plain => {}
                Reading::Assumed(why) => noted.assume(format!("{metric} {why}")),
                Reading::Real(why) => noted.refuse(&metric, why),
            }
        }
        selector.offset = self.offset(selector.offset.as_ref(), whole, noted);
        // They are printed in this order: the tree that is read back has it too.
        selector.matchers.matchers.sort_by_key(ToString::to_string);
    }

    /// What is assumed of a recorded metric is assumed by everything that reads it. That its rule cannot be compressed
    /// is not for the reader to find: such a rule is not there any more.
    fn recorded(&self, metric: &str, noted: &mut Noted<'_>) {
        let others = self.rules.without(metric);
        let inner = Scaling { rules: &others, ..*self };
        for rule in self.rules.recording(metric) {
            let mut of_rule = Noted::of("");
            inner.expr(&rule.expr, Use::Value, &mut of_rule);
            for note in of_rule.notes {
                let note =
                    if note.starts_with("recorded ") { note } else { format!("recorded {metric}: {note}") };
                match of_rule.class {
                    ChangeClass::Exact | ChangeClass::Adjusted => noted.adjust(note),
                    ChangeClass::Assumed => noted.assume(note),
                }
            }
        }
    }

    fn offset(&self, offset: Option<&Offset>, whole: &Expr, noted: &mut Noted<'_>) -> Option<Offset> {
        Some(match offset? {
            Offset::Pos(duration) => Offset::Pos(self.duration(*duration, "offset", whole, noted)),
            Offset::Neg(duration) => Offset::Neg(self.duration(*duration, "offset", whole, noted)),
        })
    }

    fn duration(&self, duration: Duration, what: &str, whole: &Expr, noted: &mut Noted<'_>) -> Duration {
        let scaled = divide(duration, self.factor);
        let largest = milliseconds(duration);
        if u64::from(self.factor) > largest && !duration.is_zero() {
            let why = format!("has the {what} {}, which would vanish", format_duration(duration));
            noted.refuse_above(whole, why, largest);
            return duration;
        }
        if !scaled.exact {
            let (from, to) = (format_duration(duration), format_duration(scaled.value));
            noted.adjust(format!("{what} {from} is rounded to {to}"));
        }
        scaled.value
    }
}

fn refuse_few_samples(whole: &Expr, range: Duration, apart: Duration, what: &str, noted: &mut Noted<'_>) {
    if range < apart * FEWEST_SCRAPES {
        noted.refuse(whole, format!("holds fewer than {FEWEST_SCRAPES} {what}"));
    }
}

fn refuse_fixed_instant(at: Option<&AtModifier>, whole: &Expr, noted: &mut Noted<'_>) {
    match at {
        Some(AtModifier::At(_)) => noted.refuse(whole, "reads a fixed instant (@), which is not compressed"),
        // Of a rule, both are the instant of its evaluation.
        Some(AtModifier::Start | AtModifier::End) | None => {}
    }
}

/// `ignoring ()` alone is printed as nothing, and is nothing.
fn says_nothing(modifier: &BinModifier) -> bool {
    matches!(&modifier.matching, Some(LabelModifier::Exclude(labels)) if labels.is_empty())
        && modifier.card == VectorMatchCardinality::OneToOne
        && !modifier.return_bool
        && modifier.fill_values == VectorMatchFillValues::default()
}

fn is_zero(expr: &Expr) -> bool {
    matches!(bare(expr), Expr::NumberLiteral(number) if number.val == 0.0)
}

#[cfg(test)]
mod engine;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
