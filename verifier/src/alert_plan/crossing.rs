//! How an alert's expression follows a fault: solved for the common shapes, an outer bound for all others.

use firedrill_drill::Fault;
use firedrill_rulebook::{Comparison, Grouping, LabelMatcher, MatchOperator, SelectorInfo, Shape};

use super::{AlertPlan, Baseline, Measured};
use crate::cause::is_immediate;
use crate::deadline::{Crossing, SteppingMean};

/// The flow of requests may differ from its mean by so much of the window.
const UNSTEADY_LOAD: f64 = 0.025;

/// The use of processors may differ from its mean by so much of the window: between two looks it is taken as even.
const UNSTEADY_PROCESSORS: f64 = 0.03;

/// The mean share of processor time over a window may be off by so much: the kernel counts it in ticks of 10 ms, of which
/// scrapes and looks see what is full. It is then off in time by as long as it takes to move so far, at (r1−r0)/w a second.
const UNSURE_PROCESSORS: f64 = 0.015;

impl AlertPlan {
    /// How the expression follows the begin of `fault`: by what was measured of it, or before anything was by what is
    /// planned. Solved are error ratios under injected errors, shares of processor time under a busy host, a planted
    /// gauge, and gauges that tell whether a part that is gone is there; everything else has an outer bound.
    pub(crate) fn crossing(&self, fault: &Fault, measured: Option<&Measured>) -> Crossing {
        self.solved(fault, measured, true).unwrap_or_else(|| self.unsolved(fault))
    }

    /// How it follows its end.
    pub(crate) fn crossing_back(&self, fault: &Fault, measured: &Measured) -> Crossing {
        self.solved(fault, Some(measured), false).unwrap_or_else(|| self.unsolved(fault))
    }

    fn solved(&self, fault: &Fault, measured: Option<&Measured>, rising: bool) -> Option<Crossing> {
        match (&self.analysis.shape, fault) {
            (
                Shape::Gauge { op, threshold, selector, aggregation: None },
                Fault::Gauge { name, value, .. },
            ) if is_planted(selector, name) => Some(if op.holds(*value, *threshold) {
                Crossing::Immediate
            } else {
                Crossing::Never { value: *value, threshold: *threshold }
            }),
            (_, Fault::HostCpu { .. }) => {
                let (processors, condition) = (measured?.processors?, self.busy_condition()?);
                let levels = if rising { processors.rising } else { processors.falling };
                let step = (levels.1 - levels.0).max(UNSURE_PROCESSORS);
                let unsteady = UNSTEADY_PROCESSORS.max(UNSURE_PROCESSORS / step);
                Some(Crossing::Busy(self.mean(condition.window, condition.threshold, levels, unsteady)))
            }
            (Shape::Gauge { selector, .. }, _)
                if selector.offset.is_zero() && is_immediate(selector.metric.as_deref(), fault) =>
            {
                Some(Crossing::Immediate)
            }
            (_, Fault::Errors { service, ratio, .. }) => {
                let is_own = self.labels.get("service").is_none_or(|own| own == service.as_str());
                match measured.and_then(|it| it.requests.map(|load| (load, it.counted_before))) {
                    Some((load, counted_before)) => self.error_ratio(&load, counted_before),
                    // How much of it callers see is not known before.
                    None => self.planned_ratio(ratio.share()).filter(|_| is_own),
                }
            }
            (
                _,
                Fault::Latency { .. }
                | Fault::Hang { .. }
                | Fault::Refuse { .. }
                | Fault::SlowBody { .. }
                | Fault::Memory { .. }
                | Fault::Cpu { .. }
                | Fault::BadMetrics { .. }
                | Fault::Kill { .. }
                | Fault::Gauge { .. },
            ) => None,
        }
    }

    /// The outer bound of how the expression follows `fault`.
    pub fn unsolved(&self, fault: &Fault) -> Crossing {
        let lasts = fault.lasts().as_secs_f64() / f64::from(self.speed);
        let delay = match (&self.analysis.shape, fault) {
            // What piles up reaches its threshold at some time, and what hangs is counted at the end.
            (Shape::Gauge { .. }, _) | (_, Fault::Hang { .. }) => lasts,
            // Slow requests are counted when they end.
            (_, Fault::Latency { added: delay, .. } | Fault::SlowBody { takes: delay, .. }) => {
                delay.as_secs_f64()
            }
            (
                _,
                Fault::Errors { .. }
                | Fault::Refuse { .. }
                | Fault::Memory { .. }
                | Fault::Cpu { .. }
                | Fault::BadMetrics { .. }
                | Fault::Kill { .. }
                | Fault::HostCpu { .. }
                | Fault::Gauge { .. },
            ) => 0.0,
        };
        Crossing::Within { history: self.history, delay }
    }

    /// Whether its condition is the share of failed requests that the ledger knows too.
    pub fn is_error_ratio(&self) -> bool {
        self.error_condition().is_some()
    }

    /// Window in seconds and threshold of a condition on the share of failed requests that the ledger knows too.
    fn error_condition(&self) -> Option<(f64, f64)> {
        match &self.analysis.shape {
            Shape::Ratio {
                op: Comparison::Greater | Comparison::GreaterOrEqual,
                threshold,
                window,
                bad,
                total,
                by,
            } if is_error_ratio_by_service(bad, total, by) => Some((window.as_secs_f64(), *threshold)),
            Shape::Ratio { .. }
            | Shape::Gauge { .. }
            | Shape::RateThreshold { .. }
            | Shape::Quantile { .. }
            | Shape::Absent { .. }
            | Shape::Constant { .. }
            | Shape::Other { .. } => None,
        }
    }

    fn planned_ratio(&self, during: f64) -> Option<Crossing> {
        let (window, threshold) = self.error_condition()?;
        Some(Crossing::Ratio(self.mean(window, threshold, (0.0, during), UNSTEADY_LOAD)))
    }

    fn error_ratio(&self, load: &Baseline, counted_before: bool) -> Option<Crossing> {
        let (window, threshold) = self.error_condition()?;
        let levels = (load.ratio_before(), load.ratio_during());
        let failed_a_second = load.per_second * load.ratio_during();
        Some(Crossing::Ratio(SteppingMean {
            traffic: load.per_second / load.per_second_before.max(f64::MIN_POSITIVE),
            event: if failed_a_second > 0.0 { 1.0 / failed_a_second } else { 0.0 },
            born: if counted_before { 0.0 } else { self.clockwork.scrape },
            ..self.mean(window, threshold, levels, UNSTEADY_LOAD)
        }))
    }

    /// A mean that steps from the first of `levels` to the second.
    fn mean(&self, window: f64, threshold: f64, levels: (f64, f64), unsteady: f64) -> SteppingMean {
        let scrape = self.clockwork.scrape;
        let scrapes = if scrape > 0.0 { (window / scrape + 1e-9).floor() } else { 0.0 };
        SteppingMean {
            window,
            threshold,
            before: levels.0,
            during: levels.1,
            traffic: 1.0,
            unreached: scrape + (window - scrapes * scrape).max(0.0),
            event: 0.0,
            born: 0.0,
            unsteady: window * unsteady,
        }
    }
}

/// Whether `selector` is of the harness's own gauge of this name, now, and of no other one.
fn is_planted(selector: &SelectorInfo, name: &str) -> bool {
    let labels = [("gauge".to_owned(), name.to_owned())].into();
    selector.metric.as_deref() == Some(Fault::GAUGE_METRIC)
        && selector.offset.is_zero()
        && selector.matchers.iter().filter(|one| one.name() == "gauge").all(|one| one.matches(&labels))
}

/// Whether the ledger's counts of one service are what the ratio is of: 5xx as a share of all, by service, with no
/// other restriction than one that leaves the harness's own routes out.
fn is_error_ratio_by_service(bad: &SelectorInfo, total: &SelectorInfo, by: &Grouping) -> bool {
    let only_leaves_out_own_routes =
        |matcher: &&LabelMatcher| matcher.name() == "route" && matcher.operator() == MatchOperator::NotRegex;
    let is_5xx = |matcher: &LabelMatcher| {
        matcher.name() == "status"
            && matcher.operator() == MatchOperator::Regex
            && ["5..", "5.*", "5[0-9]{2}", "5\\d{2}", "5\\d\\d"].contains(&matcher.value())
    };
    let errors = bad.matchers.iter().filter(|matcher| is_5xx(matcher)).count();
    let bad_rest =
        bad.matchers.iter().filter(|matcher| !is_5xx(matcher)).all(|it| only_leaves_out_own_routes(&it));
    let total_rest = total.matchers.iter().all(|it| only_leaves_out_own_routes(&it));
    let is_now = bad.offset.is_zero() && total.offset.is_zero();
    *by == Grouping::By(vec!["service".to_owned()]) && errors == 1 && bad_rest && total_rest && is_now
}
