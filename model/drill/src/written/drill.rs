//! A drill file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::fault::FaultText;
use super::notation;
use crate::yaml::At;

/// Labels as they are written.
pub(crate) type LabelsText = BTreeMap<String, At<String>>;

/// One drill: load, faults, and what monitoring must and must not say about them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Drill", rename = "Drill")]
pub(crate) struct DrillText {
    /// The drill's name, the sentence it proves; the file has the same name.
    #[schemars(regex(pattern = notation::NAME))]
    pub(crate) drill: At<String>,
    /// What it proves and why that matters.
    pub(crate) about: At<String>,
    /// Factor by which time is compressed; the backend's default without it.
    #[schemars(range(min = 1))]
    pub(crate) speed: Option<At<u32>>,
    /// Backends the drill can run on; any without it.
    #[serde(default)]
    #[schemars(schema_with = "notation::backend")]
    pub(crate) requires: Vec<At<String>>,
    /// Folder laid over the configuration, relative to this file.
    pub(crate) config: Option<At<String>>,
    /// For drills about the judge: what the verdict must be.
    pub(crate) must_be: Option<At<MustBeText>>,
    /// How long the load runs at least, in drill time; needed when there is no fault.
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) lasts: Option<At<String>>,
    /// When the drill ends, decided or not, in drill time; the last computed deadline and 2 minutes without it.
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) limit: Option<At<String>>,
    /// Who sends how much.
    #[schemars(length(min = 1))]
    pub(crate) load: At<Vec<At<LoadText>>>,
    /// What happens when.
    #[serde(default)]
    pub(crate) timeline: Vec<At<TimedText>>,
    /// What must be found.
    #[schemars(length(min = 1))]
    pub(crate) expect: At<Vec<At<ExpectationText>>>,
}

/// What the verdict of a drill about the judge must be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MustBe")]
pub(crate) struct MustBeText {
    /// The verdict.
    #[schemars(schema_with = "notation::verdict")]
    pub(crate) verdict: At<String>,
    /// The reason, one that stands for this verdict.
    #[serde(default)]
    #[schemars(schema_with = "notation::reason")]
    pub(crate) reason: Option<At<String>>,
}

/// One load.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Load")]
pub(crate) enum LoadText {
    /// So many users, each waiting for its answers.
    Journey(UsersText),
    /// Rounds of a journey that start at a rate, whether or not earlier ones were answered.
    Arrivals(ArrivalsText),
    /// Chat over WebSockets.
    Chat(ChatText),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Users")]
pub(crate) struct UsersText {
    /// The journey, a file of the folder `journeys`.
    pub(crate) name: At<String>,
    /// How many users.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) users: At<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Arrivals")]
pub(crate) struct ArrivalsText {
    /// The journey, a file of the folder `journeys`.
    pub(crate) name: At<String>,
    /// Rounds that start, like 100/s. Load is never compressed.
    #[schemars(regex(pattern = notation::RATE))]
    pub(crate) rate: At<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Chat")]
pub(crate) struct ChatText {
    /// Rooms.
    #[schemars(range(min = 1))]
    pub(crate) rooms: At<u32>,
    /// Members of each room; at most 2000 over all rooms.
    #[schemars(range(min = 1))]
    pub(crate) members: At<u32>,
    /// Messages sent over all rooms, like 20/s.
    #[schemars(regex(pattern = notation::RATE))]
    pub(crate) messages: At<String>,
}

/// Something that happens at an instant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Timed")]
pub(crate) struct TimedText {
    /// Drill time since the load began.
    #[schemars(regex(pattern = notation::DURATION))]
    pub(crate) at: At<String>,
    /// The fault that begins then.
    pub(crate) inject: FaultText,
}

/// One expectation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Expectation")]
pub(crate) enum ExpectationText {
    /// An alert fires, is delivered or inhibited as it says, and resolves, each in its computed time.
    Alert(AlertText),
    /// No other alert fires and nothing else is notified.
    Quiet(QuietText),
    /// Monitoring agrees with the ledger of the load.
    Truth(TruthText),
    /// Enough load really happened.
    Load(LoadThresholdsText),
    /// A series appears in its computed time.
    Metric(MetricText),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Alert", extend("oneOf" = [{"required": ["notified"]}, {"required": ["inhibited_by"]}]))]
pub(crate) struct AlertText {
    /// The alert's name.
    pub(crate) name: At<String>,
    /// Labels it must carry; it may carry more.
    #[serde(default)]
    pub(crate) labels: LabelsText,
    /// The Alertmanager receiver that must be told; or else `inhibited_by`.
    pub(crate) notified: Option<At<String>>,
    /// The alert that must keep this one from being told to anybody; or else `notified`.
    pub(crate) inhibited_by: Option<At<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Quiet")]
pub(crate) struct QuietText {
    /// Alerts that may fire as well, by their labels (`alertname` is one); expected alerts are excepted already.
    #[serde(default)]
    pub(crate) except: Vec<At<LabelsText>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Truth")]
pub(crate) struct TruthText {
    /// Counters, route by route and status by status.
    pub(crate) counters: Option<CounterCheck>,
    /// Histograms, with their counters and with the client's latencies.
    pub(crate) histograms: Option<HistogramCheck>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CounterCheck {
    /// Equal to the ledger, as far as each request's end is known.
    Exact,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HistogramCheck {
    /// Consistent with themselves, their counters and the client's latencies.
    Consistent,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LoadThresholds")]
pub(crate) struct LoadThresholdsText {
    /// Share of the intended arrivals and messages that must really have started, like 99%.
    #[schemars(regex(pattern = notation::RATIO))]
    pub(crate) achieved: Option<At<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Metric")]
pub(crate) struct MetricText {
    /// The metric's name.
    #[schemars(regex(pattern = "^[a-zA-Z_:][a-zA-Z0-9_:]*$"))]
    pub(crate) name: At<String>,
    /// Labels it must carry; it may carry more.
    #[serde(default)]
    pub(crate) labels: LabelsText,
}
