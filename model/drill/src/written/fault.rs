//! Faults as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::notation;
use crate::yaml::At;

/// One fault.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Fault")]
pub(crate) enum FaultText {
    /// A share of a service's requests fails with 500.
    Errors(ErrorsText),
    /// Requests to a service take longer.
    Latency(LatencyText),
    /// A service takes requests and answers none of them.
    Hang(HangText),
    /// A service refuses connections.
    Refuse(RefuseText),
    /// A service sends the head of an answer at once and its body slowly.
    SlowBody(SlowBodyText),
    /// A service's memory grows and is held.
    Memory(MemoryText),
    /// A service computes for nothing.
    Cpu(CpuText),
    /// A service's `/metrics` is wrong.
    BadMetrics(BadMetricsText),
    /// A part of the stack is killed, and started again when the fault ends.
    Kill(KillText),
    /// Processors of the host are kept busy, at the lowest priority.
    HostCpu(HostCpuText),
    /// The gauge `firedrill_planted` of the harness itself has a value: synthetic, for conditions at their border.
    Gauge(GaugeText),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Errors")]
pub(crate) struct ErrorsText {
    /// The service, as its `service` label names it.
    #[schemars(regex(pattern = notation::NAME))]
    pub(crate) service: At<String>,
    /// The share of its requests, like 30%.
    #[schemars(regex(pattern = notation::RATIO))]
    pub(crate) ratio: At<String>,
    /// How long, in drill time.
    #[serde(rename = "for")]
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) lasts: At<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Latency")]
pub(crate) struct LatencyText {
    /// The service, as its `service` label names it.
    #[schemars(regex(pattern = notation::NAME))]
    pub(crate) service: At<String>,
    /// Real time added to each request, like 800ms; at most 60s.
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) added: At<String>,
    /// The one route that is slower, as the service's metrics name it; all of them without it.
    #[schemars(regex(pattern = "^/"))]
    pub(crate) route: Option<At<String>>,
    /// How long, in drill time.
    #[serde(rename = "for")]
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) lasts: At<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Hang")]
pub(crate) struct HangText {
    /// The service, as its `service` label names it.
    #[schemars(regex(pattern = notation::NAME))]
    pub(crate) service: At<String>,
    /// How long, in drill time.
    #[serde(rename = "for")]
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) lasts: At<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Refuse")]
pub(crate) struct RefuseText {
    /// The service, as its `service` label names it.
    #[schemars(regex(pattern = notation::NAME))]
    pub(crate) service: At<String>,
    /// How long, in drill time.
    #[serde(rename = "for")]
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) lasts: At<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SlowBody")]
pub(crate) struct SlowBodyText {
    /// The service, as its `service` label names it.
    #[schemars(regex(pattern = notation::NAME))]
    pub(crate) service: At<String>,
    /// Real time that each body takes, like 2s; at most 60s.
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) takes: At<String>,
    /// How long, in drill time.
    #[serde(rename = "for")]
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) lasts: At<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Memory")]
pub(crate) struct MemoryText {
    /// The service, as its `service` label names it.
    #[schemars(regex(pattern = notation::NAME))]
    pub(crate) service: At<String>,
    /// How much more memory it takes, like 64MiB; at most 1GiB.
    #[schemars(regex(pattern = notation::SIZE))]
    pub(crate) grow: At<String>,
    /// How long, in drill time.
    #[serde(rename = "for")]
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) lasts: At<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Cpu")]
pub(crate) struct CpuText {
    /// The service, as its `service` label names it.
    #[schemars(regex(pattern = notation::NAME))]
    pub(crate) service: At<String>,
    /// The share of one processor that it takes, like 50%.
    #[schemars(regex(pattern = notation::RATIO))]
    pub(crate) busy: At<String>,
    /// How long, in drill time.
    #[serde(rename = "for")]
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) lasts: At<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BadMetrics")]
pub(crate) struct BadMetricsText {
    /// The service, as its `service` label names it.
    #[schemars(regex(pattern = notation::NAME))]
    pub(crate) service: At<String>,
    /// What is wrong: its request metrics are missing, its route labels are wrong, or it is no exposition at all.
    #[schemars(schema_with = "notation::bad_metrics")]
    pub(crate) how: At<String>,
    /// How long, in drill time.
    #[serde(rename = "for")]
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) lasts: At<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Kill")]
pub(crate) struct KillText {
    /// The part: a service, or `redis`.
    #[schemars(regex(pattern = notation::NAME))]
    pub(crate) part: At<String>,
    /// How long it stays away, in drill time.
    #[serde(rename = "for")]
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) lasts: At<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HostCpu")]
pub(crate) struct HostCpuText {
    /// How many processors; all that the host has without it.
    #[schemars(range(min = 1, max = 1024))]
    pub(crate) cores: Option<At<u32>>,
    /// How long, in drill time; at most 15m of wall time.
    #[serde(rename = "for")]
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) lasts: At<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Gauge")]
pub(crate) struct GaugeText {
    /// The value of its label `gauge`; `default` without it.
    #[schemars(regex(pattern = notation::NAME))]
    pub(crate) name: Option<At<String>>,
    /// Its value meanwhile; it is 0 otherwise.
    pub(crate) value: At<f64>,
    /// How long, in drill time.
    #[serde(rename = "for")]
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) lasts: At<String>,
}
