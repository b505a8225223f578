//! Evidence of one drill: everything the judge may look at, and nothing else.
//!
//! Collected while the drill runs, stored in the drill's evidence folder beside the raw replies, and read again by a
//! later judgement. What could not be gathered is an error text in its place, never an empty success.

use std::collections::{BTreeMap, BTreeSet};

use firedrill_record::{FaultRecord, Labels, Ledger, ServiceName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What was gathered, or why it could not be.
pub(crate) type Gathered<T> = Result<T, String>;

/// A sample as Prometheus stores it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Milliseconds since the epoch.
    pub at_ms: i64,
    /// Value.
    #[serde(with = "number_as_text")]
    pub value: f64,
}

/// JSON has no NaN and no infinity: values are written as text, as Prometheus does.
mod number_as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom(format!("`{text}` is not a number")))
    }
}

/// A series with some of its samples, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Labels, `__name__` among them.
    pub labels: Labels,
    /// Samples.
    pub samples: Vec<Sample>,
}

impl Series {
    /// The value of a label, empty when it is not there, as in PromQL.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// A rule as the running Prometheus reports it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveRule {
    /// File and group.
    pub group: String,
    /// Seconds between evaluations of the group.
    pub interval: f64,
    /// True for an alerting, false for a recording rule.
    pub alerting: bool,
    /// Name of the alert or of the recorded series.
    pub name: String,
    /// Expression.
    pub expr: String,
    /// `for` in seconds.
    pub r#for: f64,
    /// `keep_firing_for` in seconds.
    pub keep_firing_for: f64,
    /// Labels of the rule.
    pub labels: Labels,
    /// `ok`, `err` or `unknown`.
    pub health: String,
    /// The last evaluation error, empty when there was none.
    pub last_error: String,
}

/// The configuration as the running servers report it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveConfiguration {
    /// Prometheus's own view of its configuration.
    pub prometheus_yaml: String,
    /// Alertmanager's own view of its configuration.
    pub alertmanager_yaml: String,
    /// The loaded rules, in the order of their groups.
    pub rules: Vec<LiveRule>,
    /// Seconds after which Prometheus sends an alert again (`--rules.alert.resend-delay`); none when it was not read.
    #[serde(default)]
    pub resend_delay: Option<f64>,
}

/// An alert as Alertmanager showed it, each change once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertmanagerSighting {
    /// When it was looked at.
    pub seen: Timestamp,
    /// Alertmanager's name for it: what `inhibited_by` of other alerts has.
    #[serde(default)]
    pub fingerprint: String,
    /// Labels.
    pub labels: Labels,
    /// When the alert started, by Prometheus.
    pub starts_at: Timestamp,
    /// When it ends or ended.
    pub ends_at: Timestamp,
    /// When Alertmanager last got it.
    pub updated_at: Timestamp,
    /// `active`, `suppressed`, `unprocessed`.
    pub state: String,
    /// Fingerprints of the alerts that inhibit it.
    pub inhibited_by: Vec<String>,
    /// Silences that suppress it.
    pub silenced_by: Vec<String>,
    /// Receivers it is routed to.
    pub receivers: Vec<String>,
}

/// An alert inside a notification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotifiedAlert {
    /// `firing` or `resolved`.
    pub status: String,
    /// Labels.
    pub labels: Labels,
    /// When the alert started.
    pub starts_at: Timestamp,
    /// When it ended; none while it fires.
    pub ends_at: Option<Timestamp>,
}

/// A notification as a receiver got it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// When the receiver had it, by the receiver's clock.
    pub received_at: Timestamp,
    /// Name of the Alertmanager receiver.
    pub receiver: String,
    /// Which of the receiver's webhooks this one stands beside; 0 for the receiver's own.
    pub webhook: u32,
    /// `firing` or `resolved`.
    pub status: String,
    /// Its alerts.
    pub alerts: Vec<NotifiedAlert>,
}

/// Counters and histograms of the services as stored by Prometheus, each with its last few raw samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CounterSnapshot {
    /// Every sample that counts lies at or after this instant.
    pub after: Timestamp,
    /// Whether the last two scrapes of every service agree and nothing but the scrape was active.
    pub settled: bool,
    /// What was still moving when it is not settled.
    pub moving: Vec<String>,
    /// All series.
    pub series: Vec<Series>,
}

/// What was asked of Prometheus about one alert's rule, for the diagnosis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleProbe {
    /// The alert expectation's index in the drill.
    pub expectation: usize,
    /// For each selector of the rule, narrowed to the expected labels: its text and how many series it has.
    pub selectors: Vec<(String, Gathered<usize>)>,
    /// The left side of the rule's comparison, and the largest value it reached, none when it had none.
    pub peak: Option<(String, Gathered<Option<f64>>)>,
}

/// A pending or firing alert as Prometheus's rules showed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveAlert {
    /// Labels, `alertname` among them.
    pub labels: Labels,
    /// Since when its expression has been true without an end.
    pub active_at: Timestamp,
    /// The last evaluation of its rule at which it was seen so.
    pub seen: Timestamp,
}

/// A time of which something is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// The last instant at which it was known.
    pub from: Timestamp,
    /// The first instant at which it was known again, or the last try.
    pub until: Timestamp,
    /// Why not, a sentence without its begin.
    pub why: String,
}

impl Stretch {
    /// How long it is, in seconds.
    pub fn seconds(&self) -> f64 {
        self.until.duration_since(self.from).as_secs_f64()
    }
}

/// A time for which a group of rules was not evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// File and group.
    pub group: String,
    /// The evaluation before it.
    pub from: Timestamp,
    /// The last look that saw none since; of a time that nobody watched the evaluation after it.
    pub until: Timestamp,
}

impl Stall {
    /// So many seconds without an evaluation mean nothing for a group with this interval: Prometheus skips one now and
    /// then, and no look is on time.
    pub fn harmless(interval: f64) -> f64 {
        3.0 * interval + 1.0
    }

    /// How long it is, in seconds.
    pub fn seconds(&self) -> f64 {
        self.until.duration_since(self.from).as_secs_f64()
    }
}

/// The harness's own look at the host.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HostSample {
    /// End of the interval.
    pub at: Timestamp,
    /// Share of the processor time of all cores that was used in the interval, 0 to 1.
    pub busy: f64,
    /// Share in which they had nothing to do but to wait for a disk (the kernel's mode `iowait`), 0 to 1. Whether that is
    /// idle, each rule decides for itself. Evidence of earlier versions has it not, and none of it in `busy`.
    #[serde(default)]
    pub waiting: f64,
}

/// How late the harness's own timers rang.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LatenessSample {
    /// End of the interval; it began with the sample before.
    pub at: Timestamp,
    /// Seconds that the latest one of the interval was late.
    pub worst: f64,
}

/// The harness's own look at one process of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartSample {
    /// When it was looked at.
    pub at: Timestamp,
    /// The part.
    pub part: String,
    /// Its process.
    pub pid: u32,
    /// Resident memory in bytes.
    pub resident_bytes: u64,
    /// Processor time used since it began, in milliseconds.
    pub cpu_ms: u64,
    /// Open file descriptors.
    pub open_fds: u64,
}

/// The harness's own look at a service's `/metrics`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricsLook {
    /// When it was asked for.
    pub at: Timestamp,
    /// The service.
    pub service: ServiceName,
    /// What was there.
    pub found: MetricsFound,
}

/// What a look at `/metrics` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricsFound {
    /// No answer with status 200, and why: this says nothing of the metrics.
    Nothing(String),
    /// An answer that is no exposition, and what is wrong with it.
    Garbage(String),
    /// An exposition; the route labels of its `http_requests_total`, empty when it has no such series.
    Routes(BTreeSet<String>),
}

/// A scrape of a synthetic gauge, noted by the exporter itself: the harness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GaugeScrape {
    /// When the exporter answered Prometheus.
    pub at: Timestamp,
    /// The gauge.
    pub gauge: String,
    /// The value that it answered.
    pub value: f64,
}

/// When a series was first seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricProbe {
    /// The metric expectation's index in the drill.
    pub expectation: usize,
    /// When its first sample after the drill's start was taken, none when there is none.
    pub first: Gathered<Option<Timestamp>>,
}

/// Why the observation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBecause {
    /// Everything was decided.
    Decided,
    /// The drill's limit passed.
    Limit,
    /// The stack did not become steady.
    NotSettled,
    /// A part of the stack ended.
    StackLost,
    /// The load generator itself broke.
    LoadLost,
    /// The run was interrupted.
    Interrupted,
}

/// Everything the judge may look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Wall time at which the drill began, before its load.
    pub began: Timestamp,
    /// Wall time at which the load was drained; until then, the time of the last look.
    pub ended: Timestamp,
    /// Why it ended; none while the drill runs.
    pub ended_because: Option<EndedBecause>,
    /// Details for the sentence, when the end was not a decision.
    pub ended_detail: String,
    /// The configuration of the running servers.
    pub configuration: Gathered<LiveConfiguration>,
    /// Rules at the end of the drill, for their health.
    pub rules_at_end: Gathered<Vec<LiveRule>>,
    /// What the generator did; none before the first snapshot.
    pub ledger: Option<Ledger>,
    /// The faults, in the order of the timeline; shorter when later ones were not reached.
    pub faults: Vec<FaultRecord>,
    /// Samples of `ALERTS` since the drill began.
    pub alerts: Gathered<Vec<Series>>,
    /// Every rule group has been evaluated at or after this instant, by Prometheus's own word; none when unknown.
    pub evaluated_until: Option<Timestamp>,
    /// When the stack was steady and the first fault might start; none before that, and without faults.
    pub settled: Option<Timestamp>,
    /// Labels of the alerts that Alertmanager holds as firing, at the last look.
    pub alertmanager_active: Vec<Labels>,
    /// When each group of rules, by file and name, began to be evaluated: what looks saw as the last time, each once, in
    /// order. Evaluations between two looks are not among them.
    #[serde(default)]
    pub evaluations: BTreeMap<String, Vec<Timestamp>>,
    /// When Alertmanager was asked for its alerts and answered, in order.
    #[serde(default)]
    pub alertmanager_looks: Vec<Timestamp>,
    /// Rules whose evaluation failed at any look, with the error.
    pub sick_rules: BTreeMap<String, String>,
    /// Since when alerts were active, by Prometheus's own word: each start once.
    #[serde(default)]
    pub active: Vec<ActiveAlert>,
    /// The longest time between two looks at the rules with failed ones in between.
    #[serde(default)]
    pub rules_unread: Option<Stretch>,
    /// Times for which a group of rules was not evaluated, where looks saw them last more than two of its intervals.
    #[serde(default)]
    pub stalls: Vec<Stall>,
    /// Times for which a group of rules may have stood still: between two evaluations of which the looks before and after
    /// knew, with nothing known of those that should lie between. Only times that are not [`Stall::harmless`].
    #[serde(default)]
    pub unwatched: Vec<Stall>,
    /// What Alertmanager showed.
    pub alertmanager: Vec<AlertmanagerSighting>,
    /// Looks at Alertmanager that failed, with the last error.
    pub alertmanager_failures: Option<String>,
    /// What the notification service received, as it serves it.
    pub notifications: Gathered<Vec<Notification>>,
    /// How often the harness asked the notification service for them, by status, 0 where no answer was seen: those
    /// requests are counted there too.
    pub notification_polls: BTreeMap<u16, u64>,
    /// What the harness's own webhooks received.
    pub witness: Vec<Notification>,
    /// Notifications that Alertmanager failed to deliver, by its own counter, since the drill began.
    pub failed_notifications: Gathered<f64>,
    /// Counters before the load.
    pub counters_before: Gathered<CounterSnapshot>,
    /// Counters after the drain.
    pub counters_after: Gathered<CounterSnapshot>,
    /// The most resets that one counter of a service had between the two, by service.
    pub resets: Gathered<BTreeMap<String, f64>>,
    /// All samples since the drill began of the counters of services whose process changed in between.
    #[serde(default = "never_asked")]
    pub restarted: Gathered<Vec<Series>>,
    /// Services that Prometheus scraped successfully at the end.
    pub services_up: Gathered<Vec<ServiceName>>,
    /// Diagnosis of each alert's rule.
    pub rule_probes: Vec<RuleProbe>,
    /// First sight of the metrics asked for.
    pub metric_probes: Vec<MetricProbe>,
    /// The host's processors.
    pub host: Vec<HostSample>,
    /// The harness's own timers.
    #[serde(default)]
    pub lateness: Vec<LatenessSample>,
    /// How long scrapes took, by Prometheus's own count: `scrape_duration_seconds` since the drill began.
    #[serde(default = "never_asked")]
    pub scrapes: Gathered<Vec<Series>>,
    /// Alerts that Prometheus could not send to Alertmanager since the drill began, by its own counters.
    #[serde(default = "never_asked")]
    pub lost_alerts: Gathered<f64>,
    /// `scrape_samples_post_metric_relabeling` of every target at the end.
    #[serde(default = "never_asked")]
    pub scrape_sizes: Gathered<Vec<Series>>,
    /// The processes of the stack, at most once a second each.
    #[serde(default)]
    pub parts: Vec<PartSample>,
    /// The harness's own looks at the `/metrics` of services whose metrics a fault makes bad, at most once a second.
    #[serde(default)]
    pub metrics_looks: Vec<MetricsLook>,
    /// Processors of the host, by its kernel; none when it does not say.
    #[serde(default)]
    pub processors: Option<u32>,
    /// Prometheus's scrapes of the synthetic gauges that the drill sets, oldest first.
    #[serde(default)]
    pub gauge_scrapes: Vec<GaugeScrape>,
    /// Parts of the stack that ended without being told to.
    pub lost_parts: Vec<String>,
}

/// In the place of what was not gathered yet.
fn never_asked<T>() -> Gathered<T> {
    Err("it was never asked for".to_owned())
}

impl Evidence {
    /// Evidence of a drill that began at `began`, with nothing gathered yet.
    pub fn begun(began: Timestamp) -> Self {
        Self {
            began,
            ended: began,
            ended_because: None,
            ended_detail: String::new(),
            configuration: never_asked(),
            rules_at_end: never_asked(),
            ledger: None,
            faults: Vec::new(),
            alerts: never_asked(),
            evaluated_until: None,
            settled: None,
            alertmanager_active: Vec::new(),
            evaluations: BTreeMap::new(),
            alertmanager_looks: Vec::new(),
            sick_rules: BTreeMap::new(),
            active: Vec::new(),
            rules_unread: None,
            stalls: Vec::new(),
            unwatched: Vec::new(),
            alertmanager: Vec::new(),
            alertmanager_failures: None,
            notifications: never_asked(),
            notification_polls: BTreeMap::new(),
            witness: Vec::new(),
            failed_notifications: never_asked(),
            counters_before: never_asked(),
            counters_after: never_asked(),
            resets: never_asked(),
            restarted: never_asked(),
            services_up: never_asked(),
            rule_probes: Vec::new(),
            metric_probes: Vec::new(),
            host: Vec::new(),
            lateness: Vec::new(),
            scrapes: never_asked(),
            lost_alerts: never_asked(),
            scrape_sizes: never_asked(),
            parts: Vec::new(),
            metrics_looks: Vec::new(),
            processors: None,
            gauge_scrapes: Vec::new(),
            lost_parts: Vec::new(),
        }
    }
}
