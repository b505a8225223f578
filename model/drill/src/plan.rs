//! The checked drill: what a run executes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use firedrill_record::{AlertName, DrillName, Labels, MustBe};

use crate::{Fault, Load, Ratio};

/// A checked drill. Durations of the timeline are drill time: a run divides them by its speed.
#[derive(Debug, Clone, PartialEq)]
pub struct Drill {
    /// The name, the sentence that the drill proves.
    pub name: DrillName,
    /// What it proves, in its author's words.
    pub about: String,
    /// The file it came from.
    pub file: PathBuf,
    /// Speed that the drill asks for, if any.
    pub speed: Option<u32>,
    /// Backends it can run on; empty for any.
    pub requires: Vec<Backend>,
    /// Folder laid over the configuration, if any; absolute or relative to the working directory.
    pub config: Option<PathBuf>,
    /// The load; never empty.
    pub load: Vec<Load>,
    /// What happens when, ordered by time.
    pub timeline: Vec<Timed>,
    /// What must be found; never empty.
    pub expect: Vec<Expectation>,
    /// How long the load runs at least; always there when there is no fault.
    pub lasts: Option<Duration>,
    /// After so long the drill ends, undecided or not; by default the last computed deadline and 2 minutes.
    pub limit: Option<Duration>,
    /// What a drill about the judge demands.
    pub must_be: Option<MustBe>,
}

impl Drill {
    /// The faults, in the order of the timeline.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.timeline.iter().map(|timed| {
            let Action::Inject(fault) = &timed.action;
            fault
        })
    }
}

/// Where a stack runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Backend {
    /// Processes of this host.
    Process,
}

impl Backend {
    /// Every backend there is.
    pub const ALL: &'static [Self] = &[Self::Process];

    /// The backend in the words of a drill file and of `--stack`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
        }
    }
}

/// Something that happens at an instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// Earliest drill time since the load began. The first fault also waits for the stack to be steady, and what it
    /// waited every later one comes later, too: their distances stay.
    pub at: Duration,
    /// What happens.
    pub action: Action,
}

/// What can happen on a timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// A fault begins.
    Inject(Fault),
}

/// What must, or must not, be found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Expectation {
    /// An alert lives its whole life in time.
    Alert(AlertExpectation),
    /// Nothing else fires or is notified.
    Quiet(QuietExpectation),
    /// Monitoring agrees with the ledger.
    Truth(TruthExpectation),
    /// Enough load really happened.
    Load(LoadExpectation),
    /// A series appears in time.
    Metric(MetricExpectation),
}

/// An alert that must fire, be delivered and resolve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertExpectation {
    /// The alert's name.
    pub name: AlertName,
    /// Labels that it must carry; it may carry more.
    pub labels: Labels,
    /// What must come of it in Alertmanager.
    pub outcome: AlertOutcome,
}

/// What must come of an alert that fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlertOutcome {
    /// This Alertmanager receiver is told that it fires and that it is resolved.
    Notified(String),
    /// An alert of this name and the same inhibition labels keeps it from being told: it fires, is suppressed, and
    /// nobody is notified of it while the other fires.
    InhibitedBy(AlertName),
}

impl fmt::Display for AlertExpectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, shown(&self.labels))
    }
}

fn shown(labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// All labels that an alert must have to be excepted from `quiet`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelMatcher {
    /// Labels that must be equal; `alertname` is one of them.
    pub labels: Labels,
}

impl LabelMatcher {
    /// Whether an alert with `labels` is matched.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.labels.iter().all(|(name, value)| labels.get(name) == Some(value))
    }
}

/// No other alert and no other notification. Expected and always-firing alerts are excepted by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietExpectation {
    /// Alerts that may fire as well.
    pub except: Vec<LabelMatcher>,
}

/// Counters and histograms agree with the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruthExpectation {
    /// Compare counters route by route and status by status.
    pub counters: bool,
    /// Compare histograms with their counters and with the client's latencies.
    pub histograms: bool,
}

/// Thresholds of the load itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LoadExpectation {
    /// Share of the intended arrivals and messages that really started.
    pub achieved: Option<Ratio>,
}

/// A series that must appear by its computed deadline after the load begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricExpectation {
    /// The metric's name.
    pub name: String,
    /// Labels it must carry; it may carry more.
    pub labels: Labels,
}

impl fmt::Display for MetricExpectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, shown(&self.labels))
    }
}
