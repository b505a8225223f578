//! PromQL as data, on the syntax tree of promql-parser.
//!
//! Whether an expression is valid is for `promtool` to say: the parser here accepts a little more.

pub(crate) mod condition;
mod expression;
mod recording_rules;
pub(crate) mod scale;
pub(crate) mod selectors;
pub(crate) mod shape;

pub use expression::ExpressionError;
pub(crate) use expression::{bare, children, parse};
pub use recording_rules::{RecordingRules, RulePosition};
