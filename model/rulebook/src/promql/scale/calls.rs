//! Calls of functions: what is refused, and what gets back the value that it has in real time.

use std::collections::BTreeSet;

use promql_parser::parser::{Call, Expr};

use super::driver::Mover;
use super::functions::Function;
use super::noted::Noted;
use super::{Scaling, Use};
use crate::firedrill_yaml::Driver;
use crate::promql::parse;
use crate::promql::selectors::{SelectorInfo, selectors_of};

impl Scaling<'_> {
    /// Scales a call.
    pub(super) fn call(&self, call: &Call, used: Use, noted: &mut Noted<'_>) -> Expr {
        let name = call.func.name;
        let whole = Expr::Call(call.clone());
        let mut scaled = call.clone();
        let Some(function) = Function::of(name) else {
            noted.refuse(
                &whole,
                format!("calls {name}(), of which it is not known what compressing time does to it"),
            );
            return whole;
        };
        let inner = match function {
            Function::Counted | Function::Changes => Use::Presence,
            Function::Pointwise
            | Function::Samples
            | Function::Spread
            | Function::Difference
            | Function::Rate
            | Function::Prediction => used.of_part(),
            Function::Calendar => {
                if call.args.is_empty() || !selectors_of(&whole).is_empty() {
                    noted.refuse(&whole, "reads the calendar, which is not compressed");
                }
                Use::Presence
            }
            Function::Clock => {
                noted.refuse(&whole, "reads the clock, which is not compressed");
                Use::Presence
            }
        };
        for argument in &mut scaled.args.args {
            **argument = self.expr(argument, inner, noted);
        }
        if used == Use::Presence {
            // A correction changes no presence; what is not corrected is not assumed either.
            return Expr::Call(scaled);
        }
        self.correct(function, call, scaled, noted)
    }

    /// Gives a function of a window the value back that it has in real time.
    fn correct(&self, function: Function, call: &Call, mut scaled: Call, noted: &mut Noted<'_>) -> Expr {
        let mover = call.args.args.first().map_or(Mover::Nothing, |over| self.mover(over));
        let reads = || names(&call.args.args.iter().flat_map(|arg| selectors_of(arg)).collect::<Vec<_>>());
        let name = call.func.name;
        let factor = self.factor;
        if mover == Mover::Unknown
            && matches!(function, Function::Difference | Function::Rate | Function::Prediction)
        {
            noted.assume(format!("{name}({}) is assumed to be driven by load", reads()));
        }
        match (function, mover) {
            (Function::Difference, Mover::One(Driver::Load) | Mover::Unknown) => {
                corrected(&format!("({} * {factor})", Expr::Call(scaled)), call, noted)
            }
            (Function::Rate, Mover::One(Driver::Drill)) => {
                corrected(&format!("({} / {factor})", Expr::Call(scaled)), call, noted)
            }
            (Function::Prediction, Mover::One(Driver::Drill)) => {
                if let Some(horizon) = scaled.args.args.get_mut(1) {
                    **horizon = quotient(horizon, factor, noted);
                }
                Expr::Call(scaled)
            }
            (Function::Prediction, Mover::One(Driver::Load)) => {
                noted.assume(format!(
                    "{name}({}) is assumed to start from the level it has in real time",
                    reads()
                ));
                Expr::Call(scaled)
            }
            (Function::Changes, Mover::One(Driver::Load) | Mover::Unknown) => {
                noted.assume(format!("{name}({}) is assumed to move with the drill", reads()));
                Expr::Call(scaled)
            }
            (Function::Spread, Mover::One(Driver::Load) | Mover::Unknown) => {
                noted.assume(format!("{name}({}) is assumed not to grow with its window", reads()));
                Expr::Call(scaled)
            }
            (
                Function::Difference
                | Function::Rate
                | Function::Prediction
                | Function::Changes
                | Function::Spread
                | Function::Pointwise
                | Function::Samples
                | Function::Counted
                | Function::Calendar
                | Function::Clock,
                Mover::Nothing | Mover::One(_) | Mover::Unknown,
            ) => Expr::Call(scaled),
        }
    }
}

fn quotient(expr: &Expr, factor: u32, noted: &mut Noted<'_>) -> Expr {
    match expr {
        Expr::NumberLiteral(number) => corrected(&(number.val / f64::from(factor)).to_string(), expr, noted),
        other => corrected(&format!("(({other}) / {factor})"), expr, noted),
    }
}

/// Reads a correction that was written around `part`.
pub(super) fn corrected(text: &str, part: &impl ToString, noted: &mut Noted<'_>) -> Expr {
    parse(text).unwrap_or_else(|error| {
        noted.refuse(&part.to_string(), format!("cannot be corrected: {error}"));
        Expr::from(0.0)
    })
}

fn names(reads: &[SelectorInfo]) -> String {
    let names: BTreeSet<_> =
        reads.iter().map(|read| read.metric.as_deref().unwrap_or("unnamed series")).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}
