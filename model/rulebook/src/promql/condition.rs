//! The quantity that a condition compares: what to ask for to see how near it came.

use promql_parser::parser::Expr;
use promql_parser::parser::token::{T_EQLC, T_GTE, T_GTR, T_LSS, T_LTE, T_NEQ};

use super::parse;

/// The side of the outermost comparison of `expression` that is not a number; none when it is no comparison of a
/// quantity with a number.
pub fn compared_quantity(expression: &str) -> Option<String> {
    let mut expr = parse(expression).ok()?;
    while let Expr::Paren(inner) = expr {
        expr = *inner.expr;
    }
    let Expr::Binary(binary) = expr else { return None };
    if ![T_GTR, T_GTE, T_LSS, T_LTE, T_EQLC, T_NEQ].contains(&binary.op.id()) {
        return None;
    }
    match (*binary.lhs, *binary.rhs) {
        (Expr::NumberLiteral(_), Expr::NumberLiteral(_)) => None,
        (quantity, Expr::NumberLiteral(_)) | (Expr::NumberLiteral(_), quantity) => Some(quantity.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_side_that_is_not_a_number_is_the_quantity() {
        assert_eq!(compared_quantity("a:b > 0.05").as_deref(), Some("a:b"));
        assert_eq!(compared_quantity("(5 < rate(x[5m]))").as_deref(), Some("rate(x[5m])"));
        assert_eq!(compared_quantity("vector(1)"), None);
        assert_eq!(compared_quantity("a and b"), None);
    }
}
