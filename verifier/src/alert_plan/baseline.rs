//! What was measured of a fault: the load of a service before and under it, by the ledger, and the processors.

use firedrill_drill::Fault;
use firedrill_record::{FaultRecord, Ledger, Reason, ServiceName};
use firedrill_rulebook::Shape;
use jiff::{SignedDuration, Timestamp};

use super::{AlertPlan, Processors};
use crate::enough_events::{too_few_for_a_quantile, too_few_for_a_ratio};
use crate::evidence::Evidence;

/// What was measured of a fault, as far as an alert's condition depends on it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Measured {
    /// Requests of the service that the rule looks at.
    pub(crate) requests: Option<Baseline>,
    /// The host's processors, for a rule about them.
    pub(crate) processors: Option<Processors>,
    /// Whether series of what the rule counts were there before the load.
    pub(crate) counted_before: bool,
}

impl Measured {
    /// What `evidence` shows of `fault`.
    pub(crate) fn of(
        alert: &AlertPlan,
        service: Option<&ServiceName>,
        fault: &FaultRecord,
        evidence: &Evidence,
    ) -> Self {
        let requests = evidence.ledger.as_ref().zip(service).and_then(|(ledger, service)| {
            Baseline::measure(ledger, service, fault, alert.history, evidence.ended)
        });
        let processors = alert
            .busy_condition()
            .and_then(|condition| Processors::measure(&evidence.host, fault, condition));
        Self { requests, processors, counted_before: counted_before(alert, service, evidence) }
    }
}

impl Measured {
    /// Why the processors do not tell whether and when a condition on them became true because of `fault`; none when
    /// they do, or when it is no such condition.
    pub(crate) fn unclear_processors(&self, alert: &AlertPlan, fault: &Fault) -> Option<(Reason, String)> {
        let condition = alert.busy_condition().filter(|_| matches!(fault, Fault::HostCpu { .. }))?;
        let Some(processors) = &self.processors else {
            let why = "the harness could not look at the processors before and under the fault".to_owned();
            return Some((Reason::EvidenceMissing, why));
        };
        processors.unclear(condition.threshold)
    }
}

/// Whether the counters before the load have a series that the rule's numerator selects for `service`.
fn counted_before(alert: &AlertPlan, service: Option<&ServiceName>, evidence: &Evidence) -> bool {
    let Shape::Ratio { bad, .. } = &alert.analysis.shape else { return false };
    let Ok(before) = &evidence.counters_before else { return false };
    before.series.iter().any(|series| {
        bad.metric.as_deref() == Some(series.label("__name__"))
            && bad.matchers.iter().all(|matcher| matcher.matches(&series.labels))
            && service.is_none_or(|name| series.label("service") == name.as_str())
    })
}

/// The load of a service before and under a fault, by the ledger.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    /// Requests in the window before the fault, and the failed ones among them.
    pub before: (u64, u64),
    /// Requests under the fault, and the failed ones among them.
    pub during: (u64, u64),
    /// Requests a second before the fault.
    pub per_second_before: f64,
    /// Requests a second under the fault.
    pub per_second: f64,
}

impl Baseline {
    /// Counts the requests of `service` in `ledger`: `window` seconds before the fault, and while it was there, until
    /// `until` if it still is.
    pub fn measure(
        ledger: &Ledger,
        service: &ServiceName,
        fault: &FaultRecord,
        window: f64,
        until: Timestamp,
    ) -> Option<Self> {
        let injected = fault.injected?;
        let end = fault.undo_asked.unwrap_or(until);
        let seconds = end.duration_since(injected).as_secs_f64();
        if seconds <= 0.0 {
            return None;
        }
        let before_start = fault.asked.checked_sub(SignedDuration::try_from_secs_f64(window).ok()?).ok()?;
        let during = ledger.closed_between(service, injected, end);
        let before = ledger.closed_between(service, before_start, fault.asked);
        Some(Self {
            before,
            during,
            per_second_before: if window > 0.0 { before.0 as f64 / window } else { 0.0 },
            per_second: during.0 as f64 / seconds,
        })
    }

    fn share((all, failed): (u64, u64)) -> f64 {
        if all == 0 { 0.0 } else { failed as f64 / all as f64 }
    }

    /// Share of failed requests before the fault.
    pub fn ratio_before(&self) -> f64 {
        Self::share(self.before)
    }

    /// Share of failed requests under the fault.
    pub fn ratio_during(&self) -> f64 {
        Self::share(self.during)
    }
}

impl AlertPlan {
    /// Why too few events fall into the rule's window to tell what is measured from chance; none when there are enough.
    pub fn too_few_events(&self, baseline: &Baseline) -> Option<String> {
        match &self.analysis.shape {
            Shape::Ratio { window, threshold, .. } if self.is_error_ratio() => {
                let events = baseline.per_second * window.as_secs_f64();
                too_few_for_a_ratio(events, baseline.ratio_during(), *threshold)
            }
            Shape::Quantile { quantile, window, .. } => {
                too_few_for_a_quantile(baseline.per_second * window.as_secs_f64(), *quantile)
            }
            Shape::Ratio { .. }
            | Shape::Gauge { .. }
            | Shape::RateThreshold { .. }
            | Shape::Absent { .. }
            | Shape::Constant { .. }
            | Shape::Other { .. } => None,
        }
    }
}
