//! The record of a run: the versioned document from which every report is made.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    CapacityRecord, DrillName, EvidenceRef, ExitOutcome, GrowthRecord, Reason, RunId, TriedDrill, Verdict,
};

/// Name and version of the record's schema.
pub const RUN_SCHEMA: &str = "firedrill.run/1";

/// A whole run. Stored as `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    /// Name and version of this schema.
    #[schemars(extend("const" = RUN_SCHEMA))]
    pub schema: String,
    /// The run's identifier.
    pub run: RunId,
    /// The seed of all randomness.
    pub seed: u64,
    /// By how much time was compressed.
    pub speed: u32,
    /// When the run began.
    pub started: Timestamp,
    /// Seconds the run took.
    pub seconds: f64,
    /// Versions of firedrill and of each binary of the stack.
    pub versions: BTreeMap<String, String>,
    /// The stacks of the run, in the order they were started.
    pub stacks: Vec<StackRecord>,
    /// The drills, in the order they ran.
    pub drills: Vec<DrillRecord>,
    /// Drills that were asked for and did not run.
    pub not_run: Vec<NotRun>,
    /// What grew over the windows of a soak.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub growth: Vec<GrowthRecord>,
    /// What a capacity run found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacityRecord>,
    /// What was found over the trials of each drill; only in a run of trials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<TriedDrill>,
    /// How the run ended.
    pub exit: ExitOutcome,
    /// Why it ended so, when no drill says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_because: Option<String>,
}

/// One stack of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StackRecord {
    /// `process`, `docker` or `external`.
    pub backend: String,
    /// Name of the configuration: `default`, or the overlay's folder.
    pub configuration: String,
    /// Parts and the address the harness reached them at.
    pub parts: BTreeMap<String, String>,
    /// Milliseconds from the first part's start to the stack being ready.
    pub ready_after_ms: u64,
    /// Rules left out because they cannot be compressed, with the reason.
    pub left_out: BTreeMap<String, String>,
}

/// A drill that was asked for and did not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotRun {
    /// The drill.
    pub drill: DrillName,
    /// Why.
    pub why: String,
}

/// What a drill that proves the judge demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MustBe {
    /// The verdict the drill must have.
    pub verdict: Verdict,
    /// A reason that an expectation with that verdict must have; none only for Held.
    pub reason: Option<Reason>,
}

/// One drill of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DrillRecord {
    /// The drill's name.
    pub name: DrillName,
    /// What it proves, in its author's words.
    pub about: String,
    /// The drill's file as it was named, if it was a file.
    pub file: String,
    /// Wall time at which the load began.
    pub load_began: Option<Timestamp>,
    /// Seconds of wall time the drill took.
    pub seconds: f64,
    /// The worst verdict of its expectations.
    pub verdict: Verdict,
    /// What the drill demanded of the judge, if it is a drill about the judge.
    pub must_be: Option<MustBe>,
    /// Whether it passed: Held, or as `must_be` demands.
    pub passed: bool,
    /// The faults, in the order they were injected.
    pub faults: Vec<FaultRecord>,
    /// The load in short.
    pub load: LoadRecord,
    /// What the processes of the stack and the harness used meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartUse>,
    /// What Prometheus scraped at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scraped: Vec<ScrapedTarget>,
    /// The expectations, in the order of the drill.
    pub expectations: Vec<ExpectationRecord>,
}

impl DrillRecord {
    /// Whether `verdict` and the reasons of `expectations` are a pass under `must_be`.
    pub fn passes(verdict: Verdict, must_be: Option<MustBe>, expectations: &[ExpectationRecord]) -> bool {
        match must_be {
            None => verdict == Verdict::Held,
            Some(must) => {
                verdict == must.verdict
                    && must.reason.is_none_or(|reason| {
                        expectations.iter().any(|one| one.verdict == verdict && one.reason == Some(reason))
                    })
            }
        }
    }
}

/// A fault as it was really injected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FaultRecord {
    /// What it did: `errors 30% on user`.
    pub what: String,
    /// Just before the switch was asked.
    pub asked: Timestamp,
    /// Just after the switch had answered; none when it never did.
    pub injected: Option<Timestamp>,
    /// Just before the undo was asked; none when the fault was never undone by the run.
    pub undo_asked: Option<Timestamp>,
    /// Just after the undo had answered.
    pub undone: Option<Timestamp>,
    /// Proof of effect from evidence other than the switch; none when there was no effect.
    pub proof: Option<String>,
    /// What the kernel or the daemon itself said of the fault: `process 4711 ended by signal 9`; none where only the
    /// load or the metrics can show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witnessed: Option<String>,
    /// What went wrong with injecting or undoing, if anything did.
    pub problem: Option<String>,
}

impl FaultRecord {
    /// Adds what the kernel or the daemon said, if it said anything.
    pub fn add_witness(&mut self, said: Option<String>) {
        let Some(said) = said else { return };
        self.witnessed = Some(match self.witnessed.take() {
            Some(before) => format!("{before}; {said}"),
            None => said,
        });
    }
}

/// What one process used while a drill ran, by the kernel's count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PartUse {
    /// The part: a service, `prometheus`, `redis`; `firedrill` is the harness itself.
    pub part: String,
    /// Processes it was; more than one when it was killed and started again.
    pub pids: Vec<u32>,
    /// Seconds between the first and the last look.
    pub seconds: f64,
    /// Processor time used in between, in seconds; of its last process when there were several.
    pub cpu_seconds: f64,
    /// Resident memory in bytes.
    pub resident_bytes: FirstLastMost,
    /// Open file descriptors.
    pub open_fds: FirstLastMost,
}

/// A quantity at the first look, at the last, and its largest value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FirstLastMost {
    /// At the first look.
    pub first: u64,
    /// At the last look.
    pub last: u64,
    /// The largest.
    pub most: u64,
}

/// What one target gave to Prometheus at its last scrape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScrapedTarget {
    /// Its job.
    pub job: String,
    /// Its `service` label; empty without one.
    pub service: String,
    /// Its `instance` label.
    pub instance: String,
    /// Samples of one scrape after relabelling, which is the number of its series.
    pub series: u64,
    /// Scrape interval as deployed, before compression, in seconds.
    pub interval_seconds: f64,
}

impl ScrapedTarget {
    /// Samples a day at the deployed interval: series · 86,400 s / interval.
    pub fn samples_per_day(&self) -> f64 {
        self.series as f64 * 86_400.0 / self.interval_seconds
    }
}

/// One open-model load in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ArrivalRecord {
    /// The journey.
    pub name: String,
    /// Arrivals asked for, per second.
    pub rate: f64,
    /// Arrivals whose start was due.
    pub intended: u64,
    /// Arrivals that started.
    pub started: u64,
    /// Latency quantiles from the intended start in milliseconds, by name: `p50`, `p99`.
    pub latency_ms: BTreeMap<String, f64>,
}

/// The load of a drill in numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadRecord {
    /// Seconds the load ran.
    pub seconds: f64,
    /// Requests opened by the generator itself.
    pub requests: u64,
    /// Requests whose end was not seen.
    pub unknown: u64,
    /// Direct requests that closed with a 5xx status.
    pub failed: u64,
    /// Latency quantiles of direct requests in milliseconds, by name: `p50`, `p99`.
    pub latency_ms: BTreeMap<String, f64>,
    /// Chat messages sent.
    pub messages_sent: u64,
    /// Chat deliveries lost.
    pub messages_lost: u64,
    /// The open-model loads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arrivals: Vec<ArrivalRecord>,
}

/// One judged expectation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectationRecord {
    /// `alert`, `quiet`, `truth`, `load`, `metric`.
    pub kind: String,
    /// What was expected: `HighErrorRate{service="user"}`.
    pub about: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The reason; none exactly when Held.
    pub reason: Option<Reason>,
    /// The judgement in one sentence with its numbers.
    pub sentence: String,
    /// What would mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The computed budget beside the observation, in the order of the life cycle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<Segment>,
    /// Instants of the life cycle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<TimelinePoint>,
    /// Further findings with their numbers, one a line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// Where the evidence lies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EvidenceRef>,
}

impl ExpectationRecord {
    /// An expectation that held.
    pub fn held(kind: &str, about: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self::new(kind, about.into(), Verdict::Held, None, sentence.into())
    }

    /// An expectation that did not hold; the verdict follows from `reason`.
    pub fn because(
        kind: &str,
        about: impl Into<String>,
        reason: Reason,
        sentence: impl Into<String>,
    ) -> Self {
        Self::new(kind, about.into(), reason.verdict(), Some(reason), sentence.into())
    }

    fn new(kind: &str, about: String, verdict: Verdict, reason: Option<Reason>, sentence: String) -> Self {
        Self {
            kind: kind.to_owned(),
            about,
            verdict,
            reason,
            sentence,
            hint: None,
            segments: Vec::new(),
            timeline: Vec::new(),
            findings: Vec::new(),
            evidence: Vec::new(),
        }
    }
}

/// One step of an alert's life: how long it may take after the step before, and how long it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Segment {
    /// `cause to pending`, `pending to firing` and so on.
    pub name: String,
    /// Earliest end, in wall seconds after the event before it.
    pub earliest: f64,
    /// Latest end, in wall seconds after the event before it.
    pub latest: f64,
    /// What was observed; none when the event was never seen.
    pub observed: Option<f64>,
    /// How the window was computed, in numbers.
    pub computed_from: String,
}

impl Segment {
    /// Whether the observation lies inside the window; false when there is none.
    pub fn inside(&self) -> bool {
        self.observed.is_some_and(|seconds| (self.earliest..=self.latest).contains(&seconds))
    }
}

/// An instant of an alert's life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimelinePoint {
    /// `fault injected`, `pending`, `firing`, `received`, `delivered`, `fault undone`, `resolved`, `resolved delivered`.
    pub what: String,
    /// Wall time.
    pub at: Timestamp,
    /// Seconds of drill time since the load began.
    pub drill_time: f64,
    /// Who said so: `Prometheus`, `Alertmanager`, `notification-service`, `witness`, `harness`.
    pub source: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_about_the_judge_passes_only_with_the_demanded_verdict_and_reason() {
        let violated = ExpectationRecord::because("alert", "A", Reason::RuleAbsent, "no rule");
        let truth = ExpectationRecord::held("truth", "counters", "equal");
        let must = |reason| Some(MustBe { verdict: Verdict::Violated, reason: Some(reason) });
        let all = [violated, truth];
        assert!(DrillRecord::passes(Verdict::Violated, must(Reason::RuleAbsent), &all));
        assert!(!DrillRecord::passes(Verdict::Violated, must(Reason::Muted), &all));
        assert!(!DrillRecord::passes(Verdict::Inconclusive, must(Reason::RuleAbsent), &all));
        assert!(!DrillRecord::passes(Verdict::Violated, None, &all));
        assert!(DrillRecord::passes(Verdict::Held, None, &all));
    }

    #[test]
    fn a_segment_that_was_never_seen_is_not_inside_its_window() {
        let mut segment = Segment {
            name: "pending to firing".into(),
            earliest: 5.0,
            latest: 5.5,
            observed: None,
            computed_from: String::new(),
        };
        assert!(!segment.inside());
        segment.observed = Some(5.25);
        assert!(segment.inside());
        segment.observed = Some(4.9);
        assert!(!segment.inside(), "early is outside too");
    }
}
