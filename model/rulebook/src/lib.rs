//! A monitoring configuration as data: Prometheus' and Alertmanager's files and the rules in them, read, scaled in
//! time, wired to the addresses of a run, and analysed.
//!
//! This crate changes nothing but what a run may change: durations ([`compress`]) and addresses, the run label and
//! the witness ([`wire`]), and it lists every change it makes. It knows nothing of drills, processes or verdicts, and
//! does no I/O but reading and writing a folder of configuration. Whether a file is valid is for `promtool` and
//! `amtool` to say: what they accept and this crate cannot read is an error with its place.

mod alertmanager;
mod change;
mod compress;
mod duration;
mod firedrill_yaml;
mod folder;
mod labels;
mod prometheus;
mod promql;
mod routing;
mod rules;
mod wire;
mod yaml;

pub use alertmanager::{
    AlertmanagerConfig, Coverage, GroupBy, InhibitRule, Receiver, Route, TimeInterval, Webhook,
};
pub use change::{Change, ChangeClass};
pub use compress::{
    CompressError, Compressed, HIGHEST_SPEED, InvalidRules, RuleClass, RuleFate, RuleKind, RuleOutcome,
    RuleSet, ScaledFlags, ScaledRules, compress, faithful_speed, largest_speed,
};
pub use duration::{DurationError, format_duration, parse_duration};
pub use firedrill_yaml::{Driver, FiredrillConfig};
pub use folder::{ConfigFolder, FolderError};
pub use labels::{LabelMatcher, Labels, MatchOperator, MatcherError, parse_matchers};
pub use prometheus::{PrometheusConfig, ScrapeJob, StaticTarget};
pub use promql::condition::compared_quantity;
pub use promql::selectors::{SelectorInfo, longest_history, metrics, selectors};
pub use promql::shape::{Aggregation, Analysis, Comparison, Grouping, RecordingStep, Shape, analyse, shape};
pub use promql::{ExpressionError, RecordingRules, RulePosition};
pub use routing::{Inhibition, ResolvedRoute};
pub use rules::{AlertingRule, LoadedRules, RecordingRule, Rule, RuleFile, RuleGroup};
pub use wire::{HarnessWiring, RUN_LABEL, WireError, Wiring, wire};
pub use yaml::ConfigError;
