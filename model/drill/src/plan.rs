//! The checked drill: what a run executes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use firedrill_record::{AlertName, DrillName, Labels, MustBe, ServiceName};

use crate::{Load, Ratio};

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

/// What can be broken. `lasts` is drill time; delays added to requests are real time, as all load is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Fault {
    /// A share of a service's requests fails with 500.
    Errors {
        /// The service.
        service: ServiceName,
        /// The share.
        ratio: Ratio,
        /// How long, in drill time.
        lasts: Duration,
    },
    /// Requests to a service take longer.
    Latency {
        /// The service.
        service: ServiceName,
        /// Real time added to each request.
        added: Duration,
        /// The route template it is limited to; all routes without it.
        route: Option<String>,
        /// How long, in drill time.
        lasts: Duration,
    },
    /// A service takes requests and never answers them.
    Hang {
        /// The service.
        service: ServiceName,
        /// How long, in drill time.
        lasts: Duration,
    },
    /// A service refuses connections.
    Refuse {
        /// The service.
        service: ServiceName,
        /// How long, in drill time.
        lasts: Duration,
    },
    /// A service sends the head of an answer at once and its body slowly.
    SlowBody {
        /// The service.
        service: ServiceName,
        /// Real time that a body takes.
        takes: Duration,
        /// How long, in drill time.
        lasts: Duration,
    },
    /// A service's memory grows and is held.
    Memory {
        /// The service.
        service: ServiceName,
        /// Bytes more.
        grow: u64,
        /// How long, in drill time.
        lasts: Duration,
    },
    /// A service computes for nothing.
    Cpu {
        /// The service.
        service: ServiceName,
        /// Share of one processor.
        busy: Ratio,
        /// How long, in drill time.
        lasts: Duration,
    },
    /// A service's `/metrics` is wrong.
    BadMetrics {
        /// The service.
        service: ServiceName,
        /// What is wrong with it.
        how: BadMetrics,
        /// How long, in drill time.
        lasts: Duration,
    },
    /// A part of the stack is killed (SIGKILL) and started again when the fault ends.
    Kill {
        /// The part: a service, or `redis`.
        part: String,
        /// How long it stays away, in drill time.
        lasts: Duration,
    },
}

/// What is wrong with a service's `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BadMetrics {
    /// The request metrics are missing, the process metrics are there.
    Missing,
    /// Every route label says something else.
    WrongLabels,
    /// It is no exposition at all.
    Garbage,
}

impl BadMetrics {
    /// Every way there is.
    pub const ALL: &'static [Self] = &[Self::Missing, Self::WrongLabels, Self::Garbage];

    /// In the words of a drill file: `missing`, `wrong-labels`, `garbage`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::WrongLabels => "wrong-labels",
            Self::Garbage => "garbage",
        }
    }
}

impl Fault {
    /// How long it lasts, in drill time.
    pub fn lasts(&self) -> Duration {
        match self {
            Self::Errors { lasts, .. }
            | Self::Latency { lasts, .. }
            | Self::Hang { lasts, .. }
            | Self::Refuse { lasts, .. }
            | Self::SlowBody { lasts, .. }
            | Self::Memory { lasts, .. }
            | Self::Cpu { lasts, .. }
            | Self::BadMetrics { lasts, .. }
            | Self::Kill { lasts, .. } => *lasts,
        }
    }

    /// The part that it breaks: a service, or another part of the stack.
    pub fn part(&self) -> &str {
        match self {
            Self::Errors { service, .. }
            | Self::Latency { service, .. }
            | Self::Hang { service, .. }
            | Self::Refuse { service, .. }
            | Self::SlowBody { service, .. }
            | Self::Memory { service, .. }
            | Self::Cpu { service, .. }
            | Self::BadMetrics { service, .. } => service.as_str(),
            Self::Kill { part, .. } => part,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errors { service, ratio, .. } => write!(f, "errors {ratio} on {service}"),
            Self::Latency { service, added, route: None, .. } => {
                write!(f, "latency {}ms on {service}", added.as_millis())
            }
            Self::Latency { service, added, route: Some(route), .. } => {
                write!(f, "latency {}ms on {service} {route}", added.as_millis())
            }
            Self::Hang { service, .. } => write!(f, "hang of {service}"),
            Self::Refuse { service, .. } => write!(f, "refused connections to {service}"),
            Self::SlowBody { service, takes, .. } => {
                write!(f, "bodies over {}ms from {service}", takes.as_millis())
            }
            Self::Memory { service, grow, .. } => write!(f, "memory of {service} grows by {grow} bytes"),
            Self::Cpu { service, busy, .. } => write!(f, "{service} burns {busy} of a processor"),
            Self::BadMetrics { service, how, .. } => write!(f, "metrics {} on {service}", how.as_str()),
            Self::Kill { part, .. } => write!(f, "kill {part}"),
        }
    }
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
