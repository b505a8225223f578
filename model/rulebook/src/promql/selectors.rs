//! Which series an expression reads, and how far back.

use std::collections::BTreeSet;
use std::time::Duration;

use promql_parser::label::METRIC_NAME;
use promql_parser::parser::{Expr, Offset, VectorSelector};

use super::{ExpressionError, RecordingRules, children, parse};
use crate::labels::{LabelMatcher, MatchOperator};

/// A selector of an expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SelectorInfo {
    /// The metric's name; `None` when it is selected by other labels or a pattern only.
    pub metric: Option<String>,
    /// Matchers on labels; one on `__name__` only when it is not an equality.
    pub matchers: Vec<LabelMatcher>,
    /// The window, `None` for an instant selector.
    pub range: Option<Duration>,
    /// How far the selector looks back from the evaluation; one that looks ahead is zero.
    pub offset: Duration,
}

impl SelectorInfo {
    pub(crate) fn of(selector: &VectorSelector, range: Option<Duration>) -> Self {
        let mut metric = selector.name.clone();
        let alternatives = selector.matchers.or_matchers.iter().flatten();
        let mut matchers = Vec::new();
        for matcher in selector.matchers.matchers.iter().chain(alternatives).map(LabelMatcher::from) {
            if matcher.name() == METRIC_NAME && matcher.operator() == MatchOperator::Equal {
                metric = Some(matcher.value().to_owned());
            } else {
                matchers.push(matcher);
            }
        }
        Self { metric, matchers, range, offset: back(selector.offset.as_ref()) }
    }

    /// The selector as an instant PromQL selector: what to ask for to see its series.
    pub fn series(&self) -> String {
        let matchers: Vec<_> = self.matchers.iter().map(ToString::to_string).collect();
        let name = self.metric.as_deref().unwrap_or_default();
        if matchers.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", matchers.join(",")) }
    }
}

/// Every selector of `expression`, in the order in which they stand.
pub fn selectors(expression: &str) -> Result<Vec<SelectorInfo>, ExpressionError> {
    Ok(selectors_of(&parse(expression)?))
}

/// The names of the metrics that `expression` reads, recording rules followed down to raw metrics, and the recorded
/// ones among them.
pub fn metrics(expression: &str, rules: &RecordingRules) -> Result<BTreeSet<String>, ExpressionError> {
    fn collect(expr: &Expr, rules: &RecordingRules, found: &mut BTreeSet<String>) {
        for metric in selectors_of(expr).into_iter().filter_map(|selector| selector.metric) {
            if found.insert(metric.clone()) {
                for recorded in rules.recording(&metric) {
                    collect(&recorded.expr, rules, found);
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(&parse(expression)?, rules, &mut found);
    Ok(found)
}

pub(crate) fn selectors_of(expr: &Expr) -> Vec<SelectorInfo> {
    match expr {
        Expr::VectorSelector(selector) => vec![SelectorInfo::of(selector, None)],
        Expr::MatrixSelector(matrix) => vec![SelectorInfo::of(&matrix.vs, Some(matrix.range))],
        other => children(other).into_iter().flat_map(selectors_of).collect(),
    }
}

/// How far back the oldest sample lies that `expression` depends on: windows, subqueries and offsets added up, through
/// recording rules. The lookback of instant selectors is not counted.
pub fn longest_history(expression: &str, rules: &RecordingRules) -> Result<Duration, ExpressionError> {
    Ok(history_of(&parse(expression)?, rules))
}

pub(crate) fn history_of(expr: &Expr, rules: &RecordingRules) -> Duration {
    let recorded = |selector: &VectorSelector| {
        let Some(metric) = SelectorInfo::of(selector, None).metric else { return Duration::ZERO };
        let definitions = rules.recording(&metric);
        if definitions.is_empty() {
            return Duration::ZERO;
        }
        let others = rules.without(&metric);
        definitions.iter().map(|rule| history_of(&rule.expr, &others)).max().unwrap_or_default()
    };
    match expr {
        Expr::VectorSelector(selector) => back(selector.offset.as_ref()) + recorded(selector),
        Expr::MatrixSelector(matrix) => matrix.range + back(matrix.vs.offset.as_ref()) + recorded(&matrix.vs),
        Expr::Subquery(subquery) => {
            subquery.range + back(subquery.offset.as_ref()) + history_of(&subquery.expr, rules)
        }
        other => children(other).into_iter().map(|child| history_of(child, rules)).max().unwrap_or_default(),
    }
}

fn back(offset: Option<&Offset>) -> Duration {
    match offset {
        Some(Offset::Pos(duration)) => *duration,
        Some(Offset::Neg(_)) | None => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{longest_history, metrics, selectors};
    use crate::promql::RecordingRules;
    use crate::rules::{LoadedRules, RuleFile};

    fn rules(text: &str) -> RecordingRules {
        let file = RuleFile::parse(text).unwrap();
        RecordingRules::of(&LoadedRules { files: vec![("r.yml".to_owned(), file)] }).unwrap()
    }

    #[test]
    fn every_selector_is_listed_with_its_window() {
        let found =
            selectors(r#"sum(rate(a{x="1",y=~"2.."}[5m] offset 1m)) / on(x) {__name__="b"} > scalar(c)"#)
                .unwrap();
        let brief: Vec<_> = found.iter().map(|s| (s.series(), s.range, s.offset)).collect();
        assert_eq!(
            brief,
            [
                (r#"a{x="1",y=~"2.."}"#.to_owned(), Some(Duration::from_mins(5)), Duration::from_mins(1)),
                ("b".to_owned(), None, Duration::ZERO),
                ("c".to_owned(), None, Duration::ZERO),
            ]
        );
    }

    #[test]
    fn history_adds_up_through_windows_offsets_subqueries_and_recording_rules() {
        let rules = rules(
            "groups: [{name: g, rules: [{record: 'a:b', expr: 'rate(x[5m])'}, {record: 'a:c', expr: 'a:b offset 1m'}]}]",
        );
        for (expression, minutes) in [
            ("up == 0", 0),
            ("rate(x[5m]) > 1", 5),
            ("rate(x[5m] offset 10m)", 15),
            ("max_over_time(rate(x[5m])[10m:1m] offset 2m)", 17),
            ("a:b > 1", 5),
            ("avg_over_time(a:c[3m])", 9),
            ("x offset -5m", 0),
        ] {
            assert_eq!(longest_history(expression, &rules), Ok(Duration::from_mins(minutes)), "{expression}");
        }
    }

    #[test]
    fn a_rule_that_reads_itself_is_followed_once() {
        let rules = rules("groups: [{name: g, rules: [{record: 'a:a', expr: 'avg_over_time(a:a[5m])'}]}]");
        assert_eq!(longest_history("a:a", &rules), Ok(Duration::from_mins(5)));
        assert_eq!(metrics("a:a", &rules).unwrap().len(), 1);
    }

    #[test]
    fn metrics_are_followed_through_recording_rules() {
        let rules = rules("groups: [{name: g, rules: [{record: 'a:b', expr: 'rate(x[5m]) / y'}]}]");
        let found = metrics("a:b > 1", &rules).unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["a:b", "x", "y"]);
    }

    #[test]
    fn what_is_not_promql_is_an_error() {
        assert!(selectors("rate(x[5m)").is_err());
    }
}
