//! PromQL as data, on the syntax tree of promql-parser.
//!
//! Whether an expression is valid is for `promtool` to say: the parser here accepts a little more.

pub(crate) mod condition;
pub(crate) mod scale;
pub(crate) mod selectors;
pub(crate) mod shape;

use std::collections::BTreeMap;

use promql_parser::parser::{Expr, parse as parse_promql};

use crate::rules::{LoadedRules, Rule};
use crate::yaml::ConfigError;

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
    parse_promql(expression).map_err(|problem| ExpressionError { expression: expression.to_owned(), problem })
}

/// Where a rule stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RulePosition {
    /// Path of its file.
    pub file: String,
    /// Name of its group.
    pub group: String,
    /// Its index in the group, from 0.
    pub index: usize,
}

/// What the recording rules of a configuration record, by metric name.
#[derive(Debug, Clone, Default)]
pub struct RecordingRules {
    by_name: BTreeMap<String, Vec<Recorded>>,
}

/// One rule that records a metric.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) position: RulePosition,
    pub(crate) expr: Expr,
    /// Labels the rule adds: a matcher on them says nothing about the raw series.
    pub(crate) added_labels: Vec<String>,
}

impl RecordingRules {
    /// The recording rules among `rules`; an expression that is not PromQL is an error with its place.
    pub fn of(rules: &LoadedRules) -> Result<Self, ConfigError> {
        let mut by_name: BTreeMap<String, Vec<Recorded>> = BTreeMap::new();
        for (path, file) in &rules.files {
            for group in &file.groups {
                for (index, rule) in group.rules.iter().enumerate() {
                    let Rule::Recording(rule) = rule else { continue };
                    let expr = parse(&rule.expr).map_err(|error| ConfigError {
                        file: path.clone(),
                        line: 1,
                        problem: format!("rule {}: {error}", rule.name),
                    })?;
                    by_name.entry(rule.name.clone()).or_default().push(Recorded {
                        position: RulePosition { file: path.clone(), group: group.name.clone(), index },
                        expr,
                        added_labels: rule.labels.keys().cloned().collect(),
                    });
                }
            }
        }
        Ok(Self { by_name })
    }

    /// The rules that record `metric`; empty for raw metrics.
    pub(crate) fn recording(&self, metric: &str) -> &[Recorded] {
        self.by_name.get(metric).map_or(&[], Vec::as_slice)
    }

    /// These rules without those that record `metric`: following a rule into itself ends.
    pub(crate) fn without(&self, metric: &str) -> Self {
        let mut by_name = self.by_name.clone();
        by_name.remove(metric);
        Self { by_name }
    }
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
