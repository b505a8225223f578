//! What recording rules record, found by the metric a selector names.

use std::collections::BTreeMap;

use promql_parser::parser::Expr;

use super::expression::parse;
use crate::rules::{LoadedRules, Rule};
use crate::yaml::ConfigError;

/// What the recording rules of a configuration record, by metric name.
#[derive(Debug, Clone, Default)]
pub struct RecordingRules {
    by_name: BTreeMap<String, Vec<Recorded>>,
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

/// One rule that records a metric.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) position: RulePosition,
    pub(crate) expr: Expr,
    /// Labels the rule adds: a matcher on them says nothing about the raw series.
    pub(crate) added_labels: Vec<String>,
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
