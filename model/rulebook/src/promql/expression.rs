//! Reading an expression, and walking its parts.

use std::sync::Once;

use promql_parser::parser::value::ValueType;
use promql_parser::parser::{Expr, Function, parse as parse_promql, register_extra_functions};

/// An expression that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{expression}` is not PromQL: {problem}")]
pub struct ExpressionError {
    /// What was read.
    pub expression: String,
    /// What the parser says.
    pub problem: String,
}

/// Reads an expression.
pub(crate) fn parse(expression: &str) -> Result<Expr, ExpressionError> {
    know_older_functions();
    parse_promql(expression).map_err(|problem| ExpressionError { expression: expression.to_owned(), problem })
}

/// Prometheus 2 knows `holt_winters`, which 3.0 renamed to `double_exponential_smoothing`; the parser knows the new name.
fn know_older_functions() {
    static KNOWN: Once = Once::new();
    KNOWN.call_once(|| {
        let arguments = vec![ValueType::Matrix, ValueType::Scalar, ValueType::Scalar];
        let holt_winters = Function::new("holt_winters", arguments, 0, ValueType::Vector, false);
        // It is refused only once the parser knows the name itself, and then there is nothing to add.
        let _ = register_extra_functions(vec![holt_winters]);
    });
}

/// The direct parts of an expression.
pub(crate) fn children(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Aggregate(aggregate) => {
            aggregate.param.iter().map(Box::as_ref).chain([aggregate.expr.as_ref()]).collect()
        }
        Expr::Unary(unary) => vec![&unary.expr],
        Expr::Binary(binary) => vec![&binary.lhs, &binary.rhs],
        Expr::Paren(paren) => vec![&paren.expr],
        Expr::Subquery(subquery) => vec![&subquery.expr],
        Expr::Call(call) => call.args.args.iter().map(Box::as_ref).collect(),
        Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => Vec::new(),
    }
}

/// The expression without the parentheses around it.
pub(crate) fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(paren) => bare(&paren.expr),
        other => other,
    }
}
