//! What runs of several drills in a row find beyond each drill: growth over the windows of a soak, steps of a capacity
//! run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Reason, ScrapedTarget, Verdict};

/// How one quantity of one part went over the windows of a soak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GrowthRecord {
    /// The part: a service, `prometheus`, `redis`, `firedrill`.
    pub part: String,
    /// `resident bytes`, `open file descriptors`, `series`.
    pub quantity: String,
    /// Its value at the end of the second window, the first one being warm-up; of the last when there is no second.
    pub base: u64,
    /// Its value at the end of the last window.
    pub last: u64,
    /// Its largest value.
    pub most: u64,
    /// Growth from the base to the last, per hour.
    pub per_hour: f64,
    /// Growth that is allowed; none where it is followed and not judged.
    pub allowed: Option<u64>,
    /// The verdict; none where it is not judged.
    pub verdict: Option<Verdict>,
    /// The reason; none when Held or not judged.
    pub reason: Option<Reason>,
    /// The judgement in one sentence with its numbers.
    pub sentence: String,
}

/// What a stack samples today and which rate a service carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityRecord {
    /// What Prometheus scraped, target by target; without the harness itself.
    pub today: Vec<ScrapedTarget>,
    /// Samples a day over all of `today`: Σ series · 86,400 s / interval.
    pub samples_per_day: f64,
    /// Samples a day that the stack is meant to take.
    pub target_samples_per_day: f64,
    /// Services that it is meant to have.
    pub target_services: u32,
    /// The service that was loaded.
    pub service: String,
    /// The 99th percentile of its latency that a rate may have, in milliseconds from the intended start.
    pub limit_p99_ms: f64,
    /// The rates that were tried, in their order.
    pub steps: Vec<CapacityStep>,
    /// The highest rate within the limit, per second; none when even the first was over it.
    pub carried: Option<f64>,
    /// Why no higher rate was tried, in a sentence.
    pub ended_because: String,
}

/// One rate that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityStep {
    /// Arrivals asked for, per second.
    pub rate: f64,
    /// Share of them that started.
    pub achieved: f64,
    /// Share of requests that failed with 5xx or had no known end.
    pub failed: f64,
    /// Median latency in milliseconds from the intended start; none when nothing was answered.
    pub p50_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// Processors that the service used.
    pub service_cpu: f64,
    /// Processors that the load generator used.
    pub harness_cpu: f64,
    /// Whether monitoring agreed with the ledger meanwhile.
    pub truth: Verdict,
    /// Whether it is within the limit.
    pub within: bool,
}
