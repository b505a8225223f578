//! An expression rewritten for compressed time: every duration divided by one factor, functions over metrics
//! corrected for what drives the metric.
//!
//! | driver | increase, delta, idelta | changes, resets | rate, irate, deriv | horizon of `predict_linear` |
//! |---|---|---|---|---|
//! | load | times the factor | unchanged, assumed | unchanged | unchanged |
//! | drill | unchanged | unchanged | divided by it | divided by it |
//!
//! A mixed or unknown driver is treated as load and is assumed. Functions that follow the samples
//! (`count_over_time`, `avg_over_time`, …) are the same in both times.

use std::collections::BTreeSet;
use std::time::Duration;

use promql_parser::parser::{AtModifier, Call, Expr, Offset, VectorSelector};

use super::selectors::{SelectorInfo, selectors_of};
use super::{RecordingRules, parse};
use crate::change::ChangeClass;
use crate::duration::{divide, format_duration, milliseconds};
use crate::firedrill_yaml::{Driver, FiredrillConfig};

/// A window with fewer samples than this says too little to be compared between two speeds.
const FEWEST_SCRAPES: u32 = 4;

/// Functions whose result depends on the calendar.
const CALENDAR: [&str; 9] =
    ["time", "timestamp", "hour", "minute", "month", "year", "day_of_month", "day_of_week", "day_of_year"];

/// What an expression is scaled by and in the light of.
pub(crate) struct Scaling<'a> {
    /// The factor.
    pub(crate) factor: u32,
    /// Declared drivers.
    pub(crate) declared: &'a FiredrillConfig,
    /// Recorded metrics have the driver of what they are recorded from.
    pub(crate) rules: &'a RecordingRules,
    /// Unscaled interval between two samples of what a selector selects.
    pub(crate) sample_interval: &'a dyn Fn(&SelectorInfo) -> Duration,
}

/// A scaled expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScaledExpression {
    pub(crate) text: String,
    pub(crate) class: ChangeClass,
    /// What was rounded or assumed, empty when nothing was.
    pub(crate) notes: Vec<String>,
}

/// Why an expression cannot be compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotCompressible {
    pub(crate) reason: String,
    /// The largest factor at which it could be, when there is one.
    pub(crate) largest_factor: Option<u32>,
}

impl NotCompressible {
    pub(crate) fn at_any_factor(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), largest_factor: None }
    }
}

impl Scaling<'_> {
    /// Scales an expression. The printed result is read again and must be the tree that was meant.
    pub(crate) fn expression(&self, expression: &str) -> Result<ScaledExpression, NotCompressible> {
        let expr = parse(expression).map_err(|error| NotCompressible::at_any_factor(error.to_string()))?;
        let mut noted = Noted { class: ChangeClass::Exact, notes: Vec::new() };
        let scaled = self.expr(&expr, &mut noted)?;
        let text = scaled.to_string();
        if parse(&text).as_ref() != Ok(&scaled) {
            return Err(NotCompressible::at_any_factor("the scaled expression cannot be printed faithfully"));
        }
        Ok(ScaledExpression { text, class: noted.class, notes: noted.notes })
    }

    fn expr(&self, expr: &Expr, noted: &mut Noted) -> Result<Expr, NotCompressible> {
        let mut scaled = expr.clone();
        match &mut scaled {
            Expr::Aggregate(aggregate) => {
                *aggregate.expr = self.expr(&aggregate.expr, noted)?;
                if let Some(param) = &mut aggregate.param {
                    **param = self.expr(param, noted)?;
                }
            }
            Expr::Unary(unary) => *unary.expr = self.expr(&unary.expr, noted)?,
            Expr::Binary(binary) => {
                *binary.lhs = self.expr(&binary.lhs, noted)?;
                *binary.rhs = self.expr(&binary.rhs, noted)?;
            }
            Expr::Paren(paren) => *paren.expr = self.expr(&paren.expr, noted)?,
            Expr::Subquery(subquery) => {
                *subquery.expr = self.expr(&subquery.expr, noted)?;
                refuse_fixed_instant(subquery.at.as_ref())?;
                subquery.range = self.duration(subquery.range, "subquery", noted)?;
                subquery.step = subquery.step.map(|step| self.duration(step, "step", noted)).transpose()?;
                subquery.offset = self.offset(subquery.offset.as_ref(), noted)?;
            }
            Expr::VectorSelector(selector) => self.instant(selector, noted)?,
            Expr::MatrixSelector(matrix) => {
                let info = SelectorInfo::of(&matrix.vs, Some(matrix.range));
                let interval = (self.sample_interval)(&info);
                if matrix.range < interval * FEWEST_SCRAPES {
                    return Err(NotCompressible::at_any_factor(format!(
                        "its window [{}] holds fewer than {FEWEST_SCRAPES} samples {} apart",
                        format_duration(matrix.range),
                        format_duration(interval),
                    )));
                }
                self.selector(&mut matrix.vs, noted)?;
                matrix.range = self.duration(matrix.range, "window", noted)?;
            }
            Expr::Call(call) => return self.call(call, noted),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
        }
        Ok(scaled)
    }

    fn instant(&self, selector: &mut VectorSelector, noted: &mut Noted) -> Result<(), NotCompressible> {
        let moved = selector.offset.is_some();
        let info = SelectorInfo::of(selector, None);
        if moved && self.driver(&[info]) != Some(Driver::Drill) {
            noted.assume("a value compared over an offset is assumed to move with the drill");
        }
        self.selector(selector, noted)
    }

    fn selector(&self, selector: &mut VectorSelector, noted: &mut Noted) -> Result<(), NotCompressible> {
        refuse_fixed_instant(selector.at.as_ref())?;
        if let Some(metric) = SelectorInfo::of(selector, None).metric
            && matches!(metric.as_str(), "node_load1" | "node_load5" | "node_load15")
        {
            return Err(NotCompressible::at_any_factor(format!(
                "{metric} is averaged by the kernel over real minutes"
            )));
        }
        selector.offset = self.offset(selector.offset.as_ref(), noted)?;
        // They are printed in this order: the tree that is read back has it too.
        selector.matchers.matchers.sort_by_key(ToString::to_string);
        Ok(())
    }

    fn call(&self, call: &Call, noted: &mut Noted) -> Result<Expr, NotCompressible> {
        let name = call.func.name;
        if CALENDAR.contains(&name) || name == "days_in_month" {
            return Err(NotCompressible::at_any_factor(format!(
                "{name}() reads the calendar, which is not compressed"
            )));
        }
        let reads: Vec<_> = call.args.args.iter().flat_map(|argument| selectors_of(argument)).collect();
        let mut scaled = call.clone();
        for argument in &mut scaled.args.args {
            **argument = self.expr(argument, noted)?;
        }
        let factor = self.factor;
        if factor == 1 {
            return Ok(Expr::Call(scaled));
        }
        let driver = self.driver(&reads);
        let corrected = match (name, driver) {
            ("increase" | "delta" | "idelta", Some(Driver::Load)) => {
                format!("({} * {factor})", Expr::Call(scaled))
            }
            ("rate" | "irate" | "deriv", Some(Driver::Drill)) => {
                format!("({} / {factor})", Expr::Call(scaled))
            }
            ("predict_linear", Some(Driver::Drill)) => {
                if let Some(horizon) = scaled.args.args.get_mut(1) {
                    **horizon = quotient(horizon, factor)?;
                }
                return Ok(Expr::Call(scaled));
            }
            ("increase" | "delta" | "idelta", None) => {
                noted.assume(format!("{name}({}) is assumed to be driven by load", names(&reads)));
                format!("({} * {factor})", Expr::Call(scaled))
            }
            ("changes" | "resets", Some(Driver::Load) | None) => {
                noted.assume(format!("{name}({}) is assumed to move with the drill", names(&reads)));
                return Ok(Expr::Call(scaled));
            }
            ("rate" | "irate" | "deriv" | "predict_linear", None) => {
                noted.assume(format!("{name}({}) is assumed to be driven by load", names(&reads)));
                return Ok(Expr::Call(scaled));
            }
            _ => return Ok(Expr::Call(scaled)),
        };
        reparse(&corrected)
    }

    fn offset(&self, offset: Option<&Offset>, noted: &mut Noted) -> Result<Option<Offset>, NotCompressible> {
        Ok(match offset {
            // `offset 0s` moves nothing and must not become an offset of a rounded millisecond.
            None => None,
            Some(Offset::Pos(duration)) => Some(Offset::Pos(self.duration(*duration, "offset", noted)?)),
            Some(Offset::Neg(duration)) => Some(Offset::Neg(self.duration(*duration, "offset", noted)?)),
        })
    }

    fn duration(
        &self,
        duration: Duration,
        what: &str,
        noted: &mut Noted,
    ) -> Result<Duration, NotCompressible> {
        let scaled = divide(duration, self.factor);
        if scaled.value.is_zero() && !duration.is_zero() {
            return Err(NotCompressible {
                reason: format!("its {what} {} would vanish", format_duration(duration)),
                largest_factor: u32::try_from(milliseconds(duration)).ok().filter(|factor| *factor > 0),
            });
        }
        if !scaled.exact {
            noted.adjust(format!(
                "{what} {} is rounded to {}",
                format_duration(duration),
                format_duration(scaled.value)
            ));
        }
        Ok(scaled.value)
    }

    /// What drives everything that is read; `None` when unknown or mixed.
    fn driver(&self, reads: &[SelectorInfo]) -> Option<Driver> {
        let drivers: BTreeSet<_> = reads.iter().map(|read| self.driver_of(read, self.rules)).collect();
        if drivers.len() == 1 { drivers.into_iter().next().flatten() } else { None }
    }

    fn driver_of(&self, read: &SelectorInfo, rules: &RecordingRules) -> Option<Driver> {
        let metric = read.metric.as_deref()?;
        if let Some(driver) = self.declared.drivers.get(metric) {
            return Some(*driver);
        }
        let recorded = rules.recording(metric);
        if !recorded.is_empty() {
            let others = rules.without(metric);
            let drivers: BTreeSet<_> = recorded
                .iter()
                .flat_map(|rule| selectors_of(&rule.expr))
                .map(|inner| self.driver_of(&inner, &others))
                .collect();
            return if drivers.len() == 1 { drivers.into_iter().next().flatten() } else { None };
        }
        let counter = ["_total", "_count", "_sum", "_bucket"].iter().any(|suffix| metric.ends_with(suffix));
        match metric {
            "up" => Some(Driver::Drill),
            _ if counter => Some(Driver::Load),
            _ => None,
        }
    }
}

/// Collects the weakest class and the reasons for it.
struct Noted {
    class: ChangeClass,
    notes: Vec<String>,
}

impl Noted {
    fn adjust(&mut self, note: String) {
        self.class = self.class.max(ChangeClass::Adjusted);
        self.add(note);
    }

    fn assume(&mut self, note: impl Into<String>) {
        self.class = ChangeClass::Assumed;
        self.add(note.into());
    }

    fn add(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

fn refuse_fixed_instant(at: Option<&AtModifier>) -> Result<(), NotCompressible> {
    match at {
        Some(AtModifier::At(_)) => {
            Err(NotCompressible::at_any_factor("it reads a fixed instant (@), which is not compressed"))
        }
        Some(AtModifier::Start | AtModifier::End) | None => Ok(()),
    }
}

fn quotient(expr: &Expr, factor: u32) -> Result<Expr, NotCompressible> {
    match expr {
        Expr::NumberLiteral(number) => reparse(&(number.val / f64::from(factor)).to_string()),
        other => reparse(&format!("(({other}) / {factor})")),
    }
}

fn reparse(text: &str) -> Result<Expr, NotCompressible> {
    parse(text).map_err(|error| NotCompressible::at_any_factor(error.to_string()))
}

fn names(reads: &[SelectorInfo]) -> String {
    let names: BTreeSet<_> =
        reads.iter().map(|read| read.metric.as_deref().unwrap_or("unnamed series")).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
