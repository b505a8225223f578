//! What moves a value: the load, whose rate stays real, or the drill, whose timeline is compressed.
//!
//! A rate, and every other function of a window that is corrected, is a level: it has the same value at the same drill
//! time, so it moves with the drill whatever its counter moves with.

use promql_parser::parser::token::{
    T_ADD, T_COUNT, T_COUNT_VALUES, T_GROUP, T_LAND, T_LOR, T_LUNLESS, T_SUB, TokenType,
};
use promql_parser::parser::{BinaryExpr, Call, Expr};

use super::Scaling;
use super::functions::Function;
use super::readings::{is_counter, is_of_the_drill};
use crate::firedrill_yaml::Driver;
use crate::promql::selectors::SelectorInfo;
use crate::promql::{bare, children};

/// What moves a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mover {
    /// Nothing: it is constant.
    Nothing,
    /// One driver alone.
    One(Driver),
    /// Several, or it is not known.
    Unknown,
}

impl Mover {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, mover) | (mover, Self::Nothing) => mover,
            (Self::One(a), Self::One(b)) if a == b => self,
            (Self::One(_) | Self::Unknown, Self::One(_) | Self::Unknown) => Self::Unknown,
        }
    }

    /// What moves a function of a window over this, once it is corrected.
    fn corrected(self) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::One(_) => Self::One(Driver::Drill),
            Self::Unknown => Self::Unknown,
        }
    }
}

/// Whether an aggregation makes nothing of the values but whether they are there.
pub(super) fn counts(op: TokenType) -> bool {
    [T_COUNT, T_GROUP].contains(&op.id())
}

/// Whether both sides are the same but for their offsets: the difference is an increase written by hand.
pub(super) fn is_own_difference(binary: &BinaryExpr) -> bool {
    binary.op.id() == T_SUB
        && bare(&binary.lhs) != bare(&binary.rhs)
        && without_offset(&binary.lhs).is_some_and(|lhs| Some(lhs) == without_offset(&binary.rhs))
}

/// A selector or an aggregation of one, without its offset; none for anything else.
fn without_offset(expr: &Expr) -> Option<Expr> {
    match bare(expr) {
        Expr::VectorSelector(selector) => {
            let mut selector = selector.clone();
            selector.offset = None;
            selector.matchers.matchers.sort_by_key(ToString::to_string);
            Some(Expr::VectorSelector(selector))
        }
        Expr::Aggregate(aggregate) => {
            let mut aggregate = aggregate.clone();
            *aggregate.expr = without_offset(&aggregate.expr)?;
            Some(Expr::Aggregate(aggregate))
        }
        Expr::Unary(_)
        | Expr::Binary(_)
        | Expr::Paren(_)
        | Expr::Subquery(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::MatrixSelector(_)
        | Expr::Call(_)
        | Expr::Extension(_) => None,
    }
}

impl Scaling<'_> {
    /// What moves the value of `expr`.
    pub(super) fn mover(&self, expr: &Expr) -> Mover {
        match expr {
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Mover::Nothing,
            Expr::Paren(paren) => self.mover(&paren.expr),
            Expr::Unary(unary) => self.mover(&unary.expr),
            Expr::Subquery(subquery) => self.mover(&subquery.expr),
            Expr::VectorSelector(selector) => self.mover_of(&SelectorInfo::of(selector, None)),
            Expr::MatrixSelector(matrix) => self.mover_of(&SelectorInfo::of(&matrix.vs, None)),
            Expr::Aggregate(aggregate) => {
                let counted = counts(aggregate.op) || aggregate.op.id() == T_COUNT_VALUES;
                if counted { Mover::One(Driver::Drill) } else { self.mover(&aggregate.expr) }
            }
            Expr::Binary(binary) => self.mover_of_binary(binary),
            Expr::Call(call) => self.mover_of_call(call),
            Expr::Extension(_) => Mover::Unknown,
        }
    }

    fn mover_of_binary(&self, binary: &BinaryExpr) -> Mover {
        let (lhs, rhs) = (self.mover(&binary.lhs), self.mover(&binary.rhs));
        let both = lhs.and(rhs);
        match binary.op.id() {
            T_LAND | T_LUNLESS => lhs,
            T_LOR => both,
            _ if both == Mover::One(Driver::Load) && is_own_difference(binary) => both.corrected(),
            T_ADD | T_SUB => both,
            // A comparison that filters leaves a value of its sides, one with `bool` a state.
            _ if binary.op.is_comparison_operator() && !binary.return_bool() => both,
            // Products and quotients of what grows with the load grow otherwise.
            _ if lhs != Mover::Nothing && rhs != Mover::Nothing && both == Mover::One(Driver::Load) => {
                Mover::Unknown
            }
            _ => both,
        }
    }

    fn mover_of_call(&self, call: &Call) -> Mover {
        let arguments =
            || call.args.args.iter().map(|argument| self.mover(argument)).fold(Mover::Nothing, Mover::and);
        match Function::of(call.func.name) {
            Some(Function::Pointwise | Function::Samples | Function::Spread) => arguments(),
            Some(Function::Counted) => Mover::One(Driver::Drill),
            Some(Function::Difference | Function::Rate | Function::Changes | Function::Prediction) => {
                arguments().corrected()
            }
            Some(Function::Calendar) if arguments() == Mover::Nothing && !call.args.is_empty() => {
                Mover::Nothing
            }
            Some(Function::Calendar | Function::Clock) | None => Mover::Unknown,
        }
    }

    /// What moves a metric: declared, or what it is recorded from, or what its name says.
    pub(super) fn mover_of(&self, selector: &SelectorInfo) -> Mover {
        let Some(metric) = selector.metric.as_deref() else { return Mover::Unknown };
        if let Some(driver) = self.declared.drivers.get(metric) {
            return Mover::One(*driver);
        }
        let recorded = self.rules.recording(metric);
        if !recorded.is_empty() {
            let others = self.rules.without(metric);
            let inner = Scaling { rules: &others, ..*self };
            return recorded.iter().map(|rule| inner.mover(&rule.expr)).fold(Mover::Nothing, Mover::and);
        }
        if is_of_the_drill(metric) {
            Mover::One(Driver::Drill)
        } else if is_counter(metric) && !metric.contains(':') {
            Mover::One(Driver::Load)
        } else {
            Mover::Unknown
        }
    }

    /// Whether the value is the level of something that grows with the load, a counter mostly: how far it comes depends on how long the load lasts,
    /// which is compressed.
    pub(super) fn accumulates(&self, expr: &Expr) -> bool {
        match expr {
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => false,
            Expr::VectorSelector(selector) => self.metric_accumulates(&SelectorInfo::of(selector, None)),
            Expr::MatrixSelector(matrix) => self.metric_accumulates(&SelectorInfo::of(&matrix.vs, None)),
            Expr::Aggregate(aggregate) => !counts(aggregate.op) && self.accumulates(&aggregate.expr),
            Expr::Binary(binary) => match binary.op.id() {
                T_LAND | T_LUNLESS => self.accumulates(&binary.lhs),
                _ if binary.return_bool() => false,
                _ if is_own_difference(binary) => false,
                _ => self.accumulates(&binary.lhs) || self.accumulates(&binary.rhs),
            },
            Expr::Call(call) => match Function::of(call.func.name) {
                Some(Function::Pointwise | Function::Samples) => {
                    call.args.args.iter().any(|argument| self.accumulates(argument))
                }
                Some(
                    Function::Spread
                    | Function::Counted
                    | Function::Difference
                    | Function::Rate
                    | Function::Changes
                    | Function::Prediction
                    | Function::Calendar
                    | Function::Clock,
                )
                | None => false,
            },
            Expr::Paren(_) | Expr::Unary(_) | Expr::Subquery(_) => {
                children(expr).into_iter().any(|child| self.accumulates(child))
            }
        }
    }

    fn metric_accumulates(&self, selector: &SelectorInfo) -> bool {
        let Some(metric) = selector.metric.as_deref() else { return false };
        let recorded = self.rules.recording(metric);
        if recorded.is_empty() {
            return self.mover_of(selector) == Mover::One(Driver::Load);
        }
        let others = self.rules.without(metric);
        let inner = Scaling { rules: &others, ..*self };
        recorded.iter().any(|rule| inner.accumulates(&rule.expr))
    }
}
