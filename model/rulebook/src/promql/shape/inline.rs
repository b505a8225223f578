//! Recording rules put in place of the metrics they record.

use promql_parser::label::Matcher;
use promql_parser::parser::{Expr, ParenExpr};

use crate::promql::{RecordingRules, selectors::SelectorInfo};

/// `expr` with every instant selector of a metric that one rule records replaced by that rule's expression, the
/// selector's matchers put on what it reads. Others stay as they are.
pub(super) fn inline(expr: &Expr, rules: &RecordingRules) -> Expr {
    let mut inlined = expr.clone();
    match &mut inlined {
        Expr::VectorSelector(selector) if selector.offset.is_none() && selector.at.is_none() => {
            let Some(metric) = SelectorInfo::of(selector, None).metric else { return inlined };
            let [recorded] = rules.recording(&metric) else { return inlined };
            let mut definition = inline(&recorded.expr, &rules.without(&metric));
            // A label that the rule adds says nothing about the series it reads.
            let kept = |matcher: &&Matcher| {
                matcher.name != "__name__" && !recorded.added_labels.contains(&matcher.name)
            };
            let matchers: Vec<_> = selector.matchers.matchers.iter().filter(kept).cloned().collect();
            add_matchers(&mut definition, &matchers);
            return Expr::Paren(ParenExpr { expr: Box::new(definition) });
        }
        Expr::Aggregate(aggregate) => *aggregate.expr = inline(&aggregate.expr, rules),
        Expr::Unary(unary) => *unary.expr = inline(&unary.expr, rules),
        Expr::Binary(binary) => {
            *binary.lhs = inline(&binary.lhs, rules);
            *binary.rhs = inline(&binary.rhs, rules);
        }
        Expr::Paren(paren) => *paren.expr = inline(&paren.expr, rules),
        Expr::Call(call) => {
            for argument in &mut call.args.args {
                **argument = inline(argument, rules);
            }
        }
        _ => {}
    }
    inlined
}

fn add_matchers(expr: &mut Expr, matchers: &[Matcher]) {
    match expr {
        Expr::VectorSelector(selector) => selector.matchers.matchers.extend_from_slice(matchers),
        Expr::MatrixSelector(matrix) => matrix.vs.matchers.matchers.extend_from_slice(matchers),
        Expr::Aggregate(aggregate) => add_matchers(&mut aggregate.expr, matchers),
        Expr::Unary(unary) => add_matchers(&mut unary.expr, matchers),
        Expr::Binary(binary) => {
            add_matchers(&mut binary.lhs, matchers);
            add_matchers(&mut binary.rhs, matchers);
        }
        Expr::Paren(paren) => add_matchers(&mut paren.expr, matchers),
        Expr::Subquery(subquery) => add_matchers(&mut subquery.expr, matchers),
        Expr::Call(call) => call.args.args.iter_mut().for_each(|argument| add_matchers(argument, matchers)),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}
