//! What kind of condition an alert's expression is, with recording rules followed down to raw series: what decides how
//! soon after a cause it becomes true.
//!
//! Knows the common shapes; everything else is [`Shape::Other`] with the reason, never a guess.

mod classify;
mod inline;

use std::time::Duration;

use promql_parser::parser::Expr;
use promql_parser::parser::token::{T_EQLC, T_GTE, T_GTR, T_LSS, T_LTE, T_NEQ, TokenId};

use super::selectors::{SelectorInfo, selectors_of};
use super::{ExpressionError, RecordingRules, RulePosition, parse};

/// The kind of a condition. Thresholds are those of the named quantity: factors and offsets around it are solved for.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// The rate of some events as a share of the rate of all, compared with a number.
    Ratio {
        /// How it is compared.
        op: Comparison,
        /// With what; 0.05 is 5 %.
        threshold: f64,
        /// The window of both rates.
        window: Duration,
        /// The numerator.
        bad: SelectorInfo,
        /// The denominator.
        total: SelectorInfo,
        /// What the numerator is summed by.
        by: Grouping,
    },
    /// The latest value of a series, or of an aggregate of several, compared with a number.
    Gauge {
        /// How it is compared.
        op: Comparison,
        /// With what.
        threshold: f64,
        /// What is selected.
        selector: SelectorInfo,
        /// How several series become one, if they do.
        aggregation: Option<Aggregation>,
    },
    /// A rate or an increase compared with a number.
    RateThreshold {
        /// `rate`, `irate` or `increase`.
        function: String,
        /// How it is compared.
        op: Comparison,
        /// With what: events a second, or events in the window for `increase`.
        threshold: f64,
        /// The window.
        window: Duration,
        /// What is selected.
        selector: SelectorInfo,
        /// How several series become one, if they do.
        aggregation: Option<Aggregation>,
    },
    /// A quantile of a histogram's rates compared with a number.
    Quantile {
        /// Which quantile, 0 to 1.
        quantile: f64,
        /// How it is compared.
        op: Comparison,
        /// With what, in the histogram's unit.
        threshold: f64,
        /// The window of the rates.
        window: Duration,
        /// The buckets.
        selector: SelectorInfo,
        /// What the buckets are summed by, `le` included.
        by: Grouping,
    },
    /// True while no series is there.
    Absent {
        /// What is selected; with a window for `absent_over_time`.
        selector: SelectorInfo,
    },
    /// Reads no series.
    Constant {
        /// Whether the condition is true.
        fires: bool,
    },
    /// Anything else.
    Other {
        /// Why it is none of the others.
        reason: String,
    },
}

/// A comparison of a quantity with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl Comparison {
    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }

    /// Whether the comparison holds.
    #[expect(clippy::float_cmp, reason = "PromQL compares floats exactly")]
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Greater => value > threshold,
            Self::GreaterOrEqual => value >= threshold,
            Self::Less => value < threshold,
            Self::LessOrEqual => value <= threshold,
            Self::Equal => value == threshold,
            Self::NotEqual => value != threshold,
        }
    }

    fn of(token: TokenId) -> Option<Self> {
        Some(match token {
            T_GTR => Self::Greater,
            T_GTE => Self::GreaterOrEqual,
            T_LSS => Self::Less,
            T_LTE => Self::LessOrEqual,
            T_EQLC => Self::Equal,
            T_NEQ => Self::NotEqual,
            _ => return None,
        })
    }

    /// The comparison with its sides exchanged.
    fn mirrored(self) -> Self {
        match self {
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Equal | Self::NotEqual => self,
        }
    }
}

/// How several series become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregation {
    /// `sum`, `avg`, `max`, …
    pub operator: String,
    /// Which of them.
    pub by: Grouping,
}

/// Which series are taken together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grouping {
    /// Each series is on its own.
    None,
    /// Those with equal values of these labels; no label: all.
    By(Vec<String>),
    /// Those with equal values of all labels but these.
    Without(Vec<String>),
}

/// A recording rule between an alert and the raw samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingStep {
    /// The recorded metric.
    pub metric: String,
    /// Where it is recorded.
    pub position: RulePosition,
    /// Whether its reader stands after it in the same group and so sees the value of the same evaluation. Otherwise the
    /// value may be as old as the recording group's interval.
    pub same_evaluation: bool,
}

/// What is known of an alert's condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// Its kind.
    pub shape: Shape,
    /// The longest chain of recording rules between it and raw samples, from the alert down.
    pub recorded: Vec<RecordingStep>,
}

/// The kind of `expression`, recording rules followed.
pub fn shape(expression: &str, rules: &RecordingRules) -> Result<Shape, ExpressionError> {
    let inlined = inline::inline(&parse(expression)?, rules);
    let left = selectors_of(&inlined).into_iter().filter_map(|selector| selector.metric);
    if let Some(metric) = left.into_iter().find(|metric| !rules.recording(metric).is_empty()) {
        let reason = format!("it reads {metric} over a window, or more than one rule records that");
        return Ok(Shape::Other { reason });
    }
    Ok(classify::classify(&inlined))
}

/// The kind of `expression` and the recording rules it reads through. `at` is where it stands, when it stands in a
/// rule file.
pub fn analyse(
    expression: &str,
    rules: &RecordingRules,
    at: Option<&RulePosition>,
) -> Result<Analysis, ExpressionError> {
    Ok(Analysis { shape: shape(expression, rules)?, recorded: chain(&parse(expression)?, rules, at) })
}

/// The chain with the most values from an earlier evaluation; of several the one with the most steps.
fn chain(expr: &Expr, rules: &RecordingRules, reader: Option<&RulePosition>) -> Vec<RecordingStep> {
    let metrics = selectors_of(expr).into_iter().filter_map(|selector| selector.metric);
    metrics
        .flat_map(|metric| {
            let others = rules.without(&metric);
            let chains = rules.recording(&metric).iter().map(|recorded| {
                let same_evaluation = reader.is_some_and(|reader| {
                    let here = &recorded.position;
                    reader.file == here.file && reader.group == here.group && reader.index > here.index
                });
                let step = RecordingStep {
                    metric: metric.clone(),
                    position: recorded.position.clone(),
                    same_evaluation,
                };
                let mut steps = vec![step];
                steps.extend(chain(&recorded.expr, &others, Some(&recorded.position)));
                steps
            });
            chains.collect::<Vec<_>>()
        })
        .max_by_key(|steps| (steps.iter().filter(|step| !step.same_evaluation).count(), steps.len()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
