//! The closed list of reasons for every verdict that is not Held.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Verdict;

macro_rules! reasons {
    ($($variant:ident = $text:literal, $verdict:ident, $meaning:literal;)+) => {
        /// Why an expectation did not hold. Each reason belongs to exactly one verdict.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum Reason {
            $(#[doc = $meaning] #[serde(rename = $text)] $variant,)+
        }

        impl Reason {
            /// Every reason there is, in the order of this file.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The reason in the words of a drill file and of every report.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The one verdict this reason can stand for.
            pub fn verdict(self) -> Verdict {
                match self { $(Self::$variant => Verdict::$verdict,)+ }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }
        }
    };
}

reasons! {
    RuleAbsent = "rule-absent", Violated, "No loaded alerting rule can produce the expected alert.";
    RuleUnhealthy = "rule-unhealthy", Violated, "The rule is loaded, but Prometheus reports that its evaluation fails.";
    NotRouted = "not-routed", Violated, "Alertmanager's routes lead the expected alert to another receiver.";
    CannotFireWhileCauseLasts = "cannot-fire-while-cause-lasts", Violated, "By the rule's own numbers the fault is too small or too short for the alert to fire.";
    MetricAbsent = "metric-absent", Violated, "A series that the rule or the expectation needs never appeared.";
    MetricLate = "metric-late", Violated, "The metric appeared after its computed deadline.";
    ExpressionNeverTrue = "expression-never-true", Violated, "The cause was there and the series too, but the rule's expression never became true.";
    ForReset = "for-reset", Violated, "The alert was pending and became inactive again before `for` had passed.";
    NeverFired = "never-fired", Violated, "The alert was pending and never fired although `for` had passed.";
    NotReceived = "not-received", Violated, "The alert fired and Alertmanager never had it.";
    Inhibited = "inhibited", Violated, "Alertmanager inhibited the alert.";
    NotInhibited = "not-inhibited", Violated, "Alertmanager did not suppress the alert, or told a receiver of it, although the one that should inhibit it was active.";
    Silenced = "silenced", Violated, "A silence suppressed the alert.";
    Muted = "muted", Violated, "A mute or active time interval of the route suppressed the notification.";
    ReceiverRefused = "receiver-refused", Violated, "Alertmanager tried to notify the receiver and its requests failed.";
    NotDelivered = "not-delivered", Violated, "Alertmanager had the alert and the receiver never got it.";
    WrongReceiver = "wrong-receiver", Violated, "The notification reached another receiver than the expected one.";
    NotResolved = "not-resolved", Violated, "The cause ended and the alert did not resolve in time.";
    ResolvedNotDelivered = "resolved-not-delivered", Violated, "The alert resolved and the receiver was not told.";
    TooEarly = "too-early", Violated, "An event came before the earliest time the running configuration allows.";
    TooLate = "too-late", Violated, "An event came after the latest time the running configuration allows.";
    UnexpectedAlert = "unexpected-alert", Violated, "An alert fired that nobody expected.";
    UnexpectedNotification = "unexpected-notification", Violated, "The receiver was notified of something nobody expected.";
    CounterShort = "counter-short", Violated, "A counter shows fewer events than certainly happened.";
    CounterOver = "counter-over", Violated, "A counter shows more events than can have happened.";
    CounterReset = "counter-reset", Violated, "A counter went back without a fault that explains it.";
    HistogramInconsistent = "histogram-inconsistent", Violated, "A histogram disagrees with its counter, with itself or with the client's own latencies.";
    TargetAbsent = "target-absent", Violated, "Prometheus does not scrape a service that received load.";
    MessagesMiscounted = "messages-miscounted", Violated, "Chat messages counted by the service differ from those sent or received.";
    MessagesLost = "messages-lost", Violated, "A chat message was not delivered to a member of its room, or twice.";
    ResourcesGrew = "resources-grew", Violated, "A part's memory, file descriptors or series grew over the windows of a soak beyond what is allowed.";
    UpstreamMiscounted = "upstream-miscounted", Violated, "What the gateway counted of a service and what the service counted itself cannot both be true.";
    LoadMissed = "load-missed", Violated, "A load threshold was missed although the harness itself could have made the load.";

    NotCompressible = "not-compressible", Inconclusive, "The rule cannot be compressed in time and was left out at this speed.";
    FaultNotInjected = "fault-not-injected", Inconclusive, "The fault could not be injected.";
    FaultWithoutEffect = "fault-without-effect", Inconclusive, "The fault was switched on, and nothing outside its switch shows an effect.";
    AlreadyActive = "already-active", Inconclusive, "The expected alert was active before its cause.";
    InhibitorNotActive = "inhibitor-not-active", Inconclusive, "The alert that should inhibit was not active together with the inhibited one.";
    NotSettled = "not-settled", Inconclusive, "The stack did not become steady before the fault's start was due.";
    TooFewEvents = "too-few-events", Inconclusive, "Too few events fall into the rule's window to tell a ratio from chance.";
    LoadNotAchieved = "load-not-achieved", Inconclusive, "The harness did not make the load that the judgement stands on.";
    HostBusy = "host-busy", Inconclusive, "The host itself was busy with something else, which explains the observation.";
    MutedInPart = "muted-in-part", Inconclusive, "A mute or active time interval of the route covers only a part of the run, so that the hour decides whether it tells.";
    QueryFailed = "query-failed", Inconclusive, "A query that the judgement needs failed.";
    EvidenceMissing = "evidence-missing", Inconclusive, "Evidence that the judgement needs is missing or has a gap.";
    EvidenceContradicts = "evidence-contradicts", Inconclusive, "Two independent witnesses of one event disagree.";
    CountersNotSettled = "counters-not-settled", Inconclusive, "The counters were still moving after the drain, or something was still active.";
    LimitReached = "limit-reached", Inconclusive, "The drill's limit passed before the expectation was decided.";
    StackLost = "stack-lost", Inconclusive, "A part of the stack that the judgement needs ended without a fault that explains it.";

    Interrupted = "interrupted", NotReached, "The run was interrupted.";
    NotStarted = "not-started", NotReached, "The run ended before this expectation's cause was due.";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reason_stands_for_held_and_each_text_is_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for reason in Reason::ALL {
            assert_ne!(reason.verdict(), Verdict::Held, "{reason}");
            assert!(seen.insert(reason.as_str()), "{reason} twice");
            let json = serde_json::to_string(reason).unwrap();
            assert_eq!(json, format!("\"{reason}\""));
        }
    }
}
