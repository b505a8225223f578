//! The HTTP API of Prometheus, and of servers that speak it under a prefix.

mod client;
mod envelope;
mod rules;
mod status;
mod targets;
mod values;

pub use client::Prometheus;
pub use envelope::{DecodeError, Decoded, decode};
pub use rules::{
    ActiveAlert, ActiveAlerts, AlertState, AlertingRule, RecordingRule, Rule, RuleGroup, RuleGroups,
    RuleHealth,
};
pub use status::{BuildInfo, ConfigYaml, Flags, MetricMetadata, RuntimeInfo};
pub use targets::{ActiveTarget, AlertmanagerAddress, Alertmanagers, DroppedTarget, TargetHealth, Targets};
pub use values::{InstantSample, QueryValue, Sample, Series};
