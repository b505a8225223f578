//! What the judge has to know about the drill as it was run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use firedrill_drill::{Expectation, Fault};
use firedrill_record::{DrillName, Labels, MustBe, ServiceName};
use serde::{Deserialize, Serialize};

/// One drill as it was run: stored as `plan.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The drill's name.
    pub drill: DrillName,
    /// What it proves, in its author's words.
    pub about: String,
    /// The file it came from.
    pub file: String,
    /// The drill's number in its stack: the value of the label that tells its alerts from those of other drills.
    pub number: u32,
    /// By how much time was compressed.
    pub speed: u32,
    /// The seed of all randomness.
    pub seed: u64,
    /// The faults in the order of the timeline, each with its earliest start in drill time.
    pub faults: Vec<(Duration, Fault)>,
    /// What must be found, in the order of the drill.
    pub expect: Vec<Expectation>,
    /// What a drill about the judge demands.
    pub must_be: Option<MustBe>,
    /// Alerts that fire all the time on purpose.
    pub always_firing: Vec<String>,
    /// Rules that were left out because they cannot be compressed, with the reason.
    pub left_out: Vec<(String, String)>,
    /// Services of the stack: those whose counters are judged.
    pub services: Vec<ServiceName>,
    /// The service that stores notifications.
    pub notification_service: ServiceName,
    /// For each Alertmanager receiver the indices of its webhooks that go to that service. From the configuration as it
    /// was written: newer Alertmanagers do not show their webhooks' addresses.
    pub webhooks: BTreeMap<String, BTreeSet<u32>>,
    /// Whether a witness stands beside each webhook.
    pub witnessed: bool,
}

impl Plan {
    /// Wall seconds of `drill_time` at this plan's speed.
    pub fn wall_seconds(&self, drill_time: Duration) -> f64 {
        drill_time.as_secs_f64() / f64::from(self.speed)
    }

    /// Whether `labels` carry this drill's run label.
    pub fn is_of_this_drill(&self, labels: &Labels) -> bool {
        labels.get(firedrill_rulebook::RUN_LABEL).is_some_and(|value| *value == self.number.to_string())
    }
}
