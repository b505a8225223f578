//! Conditions on the share of processor time that is used, and the harness's own measure of it.

use firedrill_record::{FaultRecord, Reason};
use firedrill_rulebook::{Comparison, Grouping, LabelMatcher, MatchOperator, SelectorInfo, Shape};
use jiff::{SignedDuration, Timestamp};

use super::AlertPlan;
use super::busy_time::BusyTime;
use crate::evidence::HostSample;

/// The node exporter's counter of processor time by processor and mode.
const CPU_SECONDS: &str = "node_cpu_seconds_total";

/// The threshold must lie so far from the shares before and under the fault: closer, what is unsteady decides.
const CLEARLY: f64 = 0.05;

/// A condition on the share of all processor time of the host that is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BusyCondition {
    /// The window, in seconds.
    pub(crate) window: f64,
    /// The threshold, a share from 0 to 1.
    pub(crate) threshold: f64,
    /// Whether a processor that waits for a disk is busy for it, as it is where only the mode `idle` is left out.
    pub(crate) waiting_is_busy: bool,
}

impl BusyCondition {
    /// The share of a look that the condition means.
    pub(crate) fn share(self, sample: &HostSample) -> f64 {
        if self.waiting_is_busy { (sample.busy + sample.waiting).min(1.0) } else { sample.busy }
    }
}

/// How busy the host's processors were, by the harness's own look at `/proc/stat`: shares from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Processors {
    /// Over a whole window before the fault.
    pub before: f64,
    /// From the fault to its end, or until now.
    pub during: f64,
    /// r0 and r1 of what is in the window when the share crosses the threshold upwards: r1 is the share under the fault, r0
    /// what makes them cross when they do.
    pub rising: (f64, f64),
    /// The same when it crosses it downwards: r1 is what is left of the fault in the window, r0 is that after it.
    pub falling: (f64, f64),
}

impl Processors {
    /// Measures them around `fault` for a rule with this condition. None without samples of both the time before and the
    /// time of the fault.
    ///
    /// A busy host is not steady: the mean over the window may cross the threshold sooner or later than two levels would
    /// tell. The instant at which it does is found in the looks themselves, and with it the levels that tell so.
    pub(super) fn measure(
        host: &[HostSample],
        fault: &FaultRecord,
        condition: BusyCondition,
    ) -> Option<Self> {
        let injected = fault.injected?;
        let end = fault.undo_asked.unwrap_or(Timestamp::MAX);
        let before = mean(host, condition, back(fault.asked, condition.window), fault.asked)?;
        let during = mean(host, condition, injected, end)?;
        let lasts = end.duration_since(injected).as_secs_f64();
        let rising = rising(host, condition, injected, lasts, during).unwrap_or((before, during));
        let falling = fault.undone.and_then(|undone| falling(host, condition, undone)).unwrap_or(rising);
        Some(Self { before, during, rising, falling })
    }

    /// Why these shares do not tell whether and when they crossed `threshold`: the host was busy before, or the fault was
    /// too small. None when they do.
    pub(super) fn unclear(&self, threshold: f64) -> Option<(Reason, String)> {
        let reason = if self.before > threshold - CLEARLY {
            Reason::HostBusy
        } else if self.during < threshold + CLEARLY {
            Reason::FaultWithoutEffect
        } else {
            return None;
        };
        let why = format!(
            "the processors were busy for {:.3} before the fault and {:.3} under it; the threshold {threshold:.3} is not \
             {CLEARLY} away from both",
            self.before, self.during
        );
        Some((reason, why))
    }
}

/// r0 and r1 that cross when the looks do, at the share k of the window since `injected`: of r1 = `during`, θ = (1−k)r0 + k·r1.
fn rising(
    host: &[HostSample],
    condition: BusyCondition,
    injected: Timestamp,
    lasts: f64,
    during: f64,
) -> Option<(f64, f64)> {
    let BusyCondition { window, threshold, .. } = condition;
    let time = BusyTime::around(host, condition, injected, window, window);
    let share = time.crossing(condition, lasts, true)? / window;
    (during > threshold && share < 1.0).then(|| ((threshold - share * during) / (1.0 - share), during))
}

/// r0 and r1 that cross when the looks do, at the share 1−k of the window since `undone`: r1 is what is left in it of the
/// time before, θ = (1−k)r0 + k·r1.
fn falling(host: &[HostSample], condition: BusyCondition, undone: Timestamp) -> Option<(f64, f64)> {
    let BusyCondition { window, threshold, .. } = condition;
    let time = BusyTime::around(host, condition, undone, window, window);
    let since = time.crossing(condition, window, false)?;
    let (share, left) = (since / window, time.mean(since - window, 0.0)?);
    (left > threshold && share > 0.0).then(|| ((threshold - (1.0 - share) * left) / share, left))
}

/// The mean share between two instants, each sample being that of the time since the one before; none where no sample
/// lies in that time.
fn mean(host: &[HostSample], condition: BusyCondition, from: Timestamp, until: Timestamp) -> Option<f64> {
    let pairs = host.iter().zip(host.iter().skip(1));
    let (seconds, busy) = pairs.fold((0.0, 0.0), |(seconds, busy), (before, sample)| {
        let covered = sample.at.min(until).duration_since(before.at.max(from)).as_secs_f64().max(0.0);
        (seconds + covered, busy + covered * condition.share(sample))
    });
    (seconds > 0.0).then(|| busy / seconds)
}

fn back(at: Timestamp, seconds: f64) -> Timestamp {
    SignedDuration::try_from_secs_f64(seconds)
        .ok()
        .and_then(|span| at.checked_sub(span).ok())
        .unwrap_or(Timestamp::MIN)
}

impl AlertPlan {
    /// The condition when it is one on the host being busy.
    pub(crate) fn busy_condition(&self) -> Option<BusyCondition> {
        busy_condition(&self.analysis.shape)
    }
}

/// The condition on the host being busy that `shape` is: one on the mean rate of the idle counters, or on the share of
/// some modes in all. Others are not solved.
pub(crate) fn busy_condition(shape: &Shape) -> Option<BusyCondition> {
    match shape {
        Shape::RateThreshold {
            function,
            op: Comparison::Less | Comparison::LessOrEqual,
            threshold,
            window,
            selector,
            aggregation: Some(mean),
        } if function == "rate" && mean.operator == "avg" && all_processors(&mean.by) => {
            // The mean over two modes is half their sum: that of `idle` alone is a share.
            (idle_modes(selector)? == IdleModes::Idle).then_some(BusyCondition {
                window: window.as_secs_f64(),
                threshold: 1.0 - threshold,
                waiting_is_busy: true,
            })
        }
        Shape::Ratio { op, threshold, window, bad, total, by }
            if all_processors(by) && is_of_all_modes(total) =>
        {
            let (threshold, idle) = match op {
                Comparison::Greater | Comparison::GreaterOrEqual => (*threshold, all_but_idle_modes(bad)?),
                Comparison::Less | Comparison::LessOrEqual => (1.0 - threshold, idle_modes(bad)?),
                Comparison::Equal | Comparison::NotEqual => return None,
            };
            let waiting_is_busy = idle == IdleModes::Idle;
            Some(BusyCondition { window: window.as_secs_f64(), threshold, waiting_is_busy })
        }
        Shape::Ratio { .. }
        | Shape::Gauge { .. }
        | Shape::RateThreshold { .. }
        | Shape::Quantile { .. }
        | Shape::Absent { .. }
        | Shape::Constant { .. }
        | Shape::Other { .. } => None,
    }
}

/// Whether the processors of a host, and their modes, become one.
fn all_processors(by: &Grouping) -> bool {
    match by {
        Grouping::None => false,
        Grouping::By(labels) => !labels.iter().any(|label| label == "cpu" || label == "mode"),
        Grouping::Without(labels) => {
            ["cpu", "mode"].iter().all(|label| labels.iter().any(|one| one == label))
        }
    }
}

fn modes(selector: &SelectorInfo) -> Option<Vec<&LabelMatcher>> {
    let is_now = selector.metric.as_deref() == Some(CPU_SECONDS) && selector.offset.is_zero();
    // Which host is meant is the same for both: that of the harness.
    is_now.then(|| selector.matchers.iter().filter(|matcher| matcher.name() == "mode").collect())
}

fn is_of_all_modes(selector: &SelectorInfo) -> bool {
    modes(selector).is_some_and(|modes| modes.is_empty())
}

/// The modes that a rule takes as idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IdleModes {
    /// `idle` alone.
    Idle,
    /// `idle` and `iowait`.
    IdleAndWaiting,
}

/// What a selector of idle modes alone takes as such.
fn idle_modes(selector: &SelectorInfo) -> Option<IdleModes> {
    listed(selector, MatchOperator::Equal, MatchOperator::Regex)
}

/// What a selector of all other modes takes as idle.
fn all_but_idle_modes(selector: &SelectorInfo) -> Option<IdleModes> {
    listed(selector, MatchOperator::NotEqual, MatchOperator::NotRegex)
}

/// The modes that the one matcher of modes lists, by an operator for `one` or for `several`.
fn listed(selector: &SelectorInfo, one: MatchOperator, several: MatchOperator) -> Option<IdleModes> {
    let [mode] = modes(selector)?[..] else { return None };
    let (lists_several, lists_one) = (mode.operator() == several, mode.operator() == one);
    match mode.value() {
        "idle" if lists_one || lists_several => Some(IdleModes::Idle),
        "idle|iowait" | "iowait|idle" if lists_several => Some(IdleModes::IdleAndWaiting),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOVE_80: BusyCondition = BusyCondition { window: 5.0, threshold: 0.8, waiting_is_busy: true };

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn fault(undone: Option<i64>) -> FaultRecord {
        FaultRecord {
            what: "the host is busy".into(),
            asked: at(10_000),
            injected: Some(at(10_000)),
            undo_asked: undone.map(at),
            undone: undone.map(at),
            proof: None,
            witnessed: None,
            problem: None,
        }
    }

    /// Ten looks a second from 0 to 30 s.
    fn host(busy: impl Fn(i64) -> f64) -> Vec<HostSample> {
        (0..=300)
            .map(|tenth| HostSample { at: at(tenth * 100), busy: busy(tenth * 100), waiting: 0.0 })
            .collect()
    }

    #[test]
    fn a_step_is_measured_as_it_is() {
        let host = host(|ms| if (10_001..=20_000).contains(&ms) { 1.0 } else { 0.4 });
        let measured = Processors::measure(&host, &fault(Some(20_000)), ABOVE_80).unwrap();
        for (low, high) in [(measured.before, measured.during), measured.rising, measured.falling] {
            assert!((low - 0.4).abs() < 1e-9 && (high - 1.0).abs() < 1e-9, "{measured:?}");
        }
        assert_eq!(measured.unclear(0.8), None);
    }

    #[test]
    fn only_what_is_still_in_the_window_counts_of_the_time_before() {
        // 90 % until 7 s, 10 % until the fault at 10 s: k = 0.7/0.9 = 0.78, so that 1.1 s of the time before remain.
        let host = host(|ms| match ms {
            ..=7_000 => 0.9,
            7_001..=10_000 => 0.1,
            _ => 1.0,
        });
        let measured = Processors::measure(&host, &fault(None), ABOVE_80).unwrap();
        assert!((measured.before - 0.42).abs() < 1e-6, "{measured:?}");
        assert!((measured.rising.0 - 0.1).abs() < 1e-9, "{measured:?}");
    }

    #[test]
    fn a_host_that_was_busy_before_or_idle_under_the_fault_tells_nothing() {
        let measured = |before, during| {
            let host = host(|ms| if ms > 10_000 { during } else { before });
            Processors::measure(&host, &fault(Some(20_000)), ABOVE_80).unwrap()
        };
        assert_eq!(measured(0.78, 1.0).unclear(0.8).unwrap().0, Reason::HostBusy);
        assert_eq!(measured(0.1, 0.82).unclear(0.8).unwrap().0, Reason::FaultWithoutEffect);
        assert_eq!(Processors::measure(&[], &fault(None), ABOVE_80), None);
    }

    #[test]
    fn waiting_for_a_disk_is_what_the_rule_takes_it_for() {
        let mut host = host(|ms| if ms > 10_000 { 0.9 } else { 0.2 });
        for sample in &mut host {
            sample.waiting = if sample.at > at(10_000) { 0.0 } else { 0.3 };
        }
        let levels = |waiting_is_busy| {
            let condition = BusyCondition { waiting_is_busy, ..ABOVE_80 };
            Processors::measure(&host, &fault(None), condition).unwrap().rising
        };
        assert!((levels(true).0 - 0.5).abs() < 1e-9 && (levels(true).1 - 0.9).abs() < 1e-9);
        assert!((levels(false).0 - 0.2).abs() < 1e-9);
    }
}
