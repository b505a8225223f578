//! `upstream_requests_total`: every call of an upstream counts once, by what came of it.
//!
//! Knows nothing of how a call is made; whoever makes one opens it here and says how it ended.

use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// In the order of the classes of statuses, from 1xx.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    upstream: &'static str,
    outcome: &'static str,
}

/// The whole family.
#[derive(Clone, Default)]
pub(super) struct Outcomes {
    family: Family<OutcomeLabels, Counter>,
}

impl Outcomes {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Calls of upstream services by what came of them";
        registry.register("upstream_requests", help, self.family.clone());
    }

    /// One upstream's counters, each resolved once and so at 0 from the start.
    pub(super) fn of(&self, upstream: &'static str) -> UpstreamOutcomes {
        let counter = |outcome| self.family.get_or_create_owned(&OutcomeLabels { upstream, outcome });
        UpstreamOutcomes {
            answered: CLASSES.map(counter),
            connect_error: counter("connect_error"),
            timeout: counter("timeout"),
            broken: counter("broken"),
        }
    }
}

/// One upstream's counters.
pub(super) struct UpstreamOutcomes {
    answered: [Counter; CLASSES.len()],
    connect_error: Counter,
    timeout: Counter,
    broken: Counter,
}

impl UpstreamOutcomes {
    /// To be done before a call begins.
    pub(super) fn open(&self) -> OpenCall<'_> {
        OpenCall { outcomes: self, ended: None }
    }
}

/// A call in progress. Dropped without an end, because the client left, it counts as one whose connection
/// ended before a head: that is what the upstream saw.
pub(super) struct OpenCall<'a> {
    outcomes: &'a UpstreamOutcomes,
    ended: Option<&'a Counter>,
}

impl OpenCall<'_> {
    /// The head of an answer arrived.
    pub(super) fn answered(mut self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len());
        self.ended = Some(&self.outcomes.answered[class - 1]);
    }

    /// Nothing was sent.
    pub(super) fn never_sent(mut self) {
        self.ended = Some(&self.outcomes.connect_error);
    }

    /// Sent, and no head came in time.
    pub(super) fn timed_out(mut self) {
        self.ended = Some(&self.outcomes.timeout);
    }

    /// Sent, and the connection ended before a head.
    pub(super) fn broke(mut self) {
        self.ended = Some(&self.outcomes.broken);
    }
}

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        self.ended.unwrap_or(&self.outcomes.broken).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_once_and_one_given_up_counts_as_broken() {
        let outcomes = Outcomes::default().of("user");
        outcomes.open().answered(StatusCode::SWITCHING_PROTOCOLS);
        outcomes.open().answered(StatusCode::NO_CONTENT);
        outcomes.open().answered(StatusCode::from_u16(599).expect("valid"));
        outcomes.open().never_sent();
        outcomes.open().timed_out();
        outcomes.open().broke();
        drop(outcomes.open());
        let answered = outcomes.answered.each_ref().map(Counter::get);
        assert_eq!(answered, [1, 1, 0, 0, 1]);
        assert_eq!(outcomes.connect_error.get(), 1);
        assert_eq!(outcomes.timeout.get(), 1);
        assert_eq!(outcomes.broken.get(), 2);
    }
}
