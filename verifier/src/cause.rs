//! Which fault of a drill causes an expected alert, and how long it really was there.
//!
//! Read from the shape of the rule and the service it is about, never from what was observed: an alert is not judged
//! against whatever fault happens to explain it.

use firedrill_drill::{BadMetrics, Fault};
use firedrill_record::{FaultRecord, Labels};
use firedrill_rulebook::{LabelMatcher, SelectorInfo, Shape};

use crate::alert_plan::AlertPlan;
use crate::evidence::Evidence;
use crate::plan::Plan;

/// The label that tells synthetic gauges apart.
const GAUGE_LABEL: &str = "gauge";

/// What a rule watches, as far as faults can move it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Signal<'a> {
    /// The share of failed requests.
    Errors,
    /// How long requests take.
    Latency,
    /// The value of a gauge of this name.
    Gauge(&'a str),
    /// That series are there at all.
    Presence,
    /// How busy the host's processors are.
    Processors,
    /// Anything else: any fault may move it.
    Unknown,
}

impl<'a> Signal<'a> {
    fn of(shape: &'a Shape) -> Self {
        let name = |selector: &'a SelectorInfo| selector.metric.as_deref().unwrap_or_default();
        match shape {
            Shape::Ratio { bad: selector, .. } | Shape::RateThreshold { selector, .. }
                if name(selector).starts_with("node_cpu") =>
            {
                Self::Processors
            }
            Shape::Ratio { .. } => Self::Errors,
            Shape::Quantile { .. } => Self::Latency,
            Shape::Gauge { selector, .. } => Self::Gauge(name(selector)),
            Shape::Absent { .. } => Self::Presence,
            Shape::RateThreshold { .. } | Shape::Constant { .. } | Shape::Other { .. } => Self::Unknown,
        }
    }

    /// Whether `fault` moves this signal of the part that it breaks.
    fn moved_by(self, fault: &Fault) -> bool {
        match self {
            Self::Errors => matches!(fault, Fault::Errors { .. }),
            Self::Latency => matches!(
                fault,
                Fault::Latency { .. } | Fault::SlowBody { .. } | Fault::Cpu { .. } | Fault::Hang { .. }
            ),
            Self::Gauge("up") => breaks_scrapes(fault),
            Self::Gauge(metric) => match fault {
                Fault::Kill { part, .. } => {
                    metric.strip_prefix(part.as_str()).is_some_and(|rest| rest.starts_with('_'))
                }
                Fault::Memory { .. } => metric.contains("memory"),
                Fault::Hang { .. } | Fault::Latency { .. } | Fault::SlowBody { .. } => {
                    metric.contains("active")
                }
                Fault::HostCpu { .. } => metric.starts_with("node_cpu"),
                Fault::Gauge { .. } => metric == Fault::GAUGE_METRIC,
                Fault::Errors { .. }
                | Fault::Refuse { .. }
                | Fault::Cpu { .. }
                | Fault::BadMetrics { .. } => false,
            },
            Self::Presence => breaks_scrapes(fault) || matches!(fault, Fault::BadMetrics { .. }),
            Self::Processors => matches!(fault, Fault::HostCpu { .. }),
            Self::Unknown => true,
        }
    }

    /// Whether `fault` moves this signal of those who call the part that it breaks.
    fn moved_elsewhere_by(self, fault: &Fault) -> bool {
        match self {
            Self::Errors => match fault {
                Fault::Errors { .. } | Fault::Hang { .. } | Fault::Refuse { .. } | Fault::Kill { .. } => true,
                Fault::Latency { .. }
                | Fault::SlowBody { .. }
                | Fault::Memory { .. }
                | Fault::Cpu { .. }
                | Fault::BadMetrics { .. }
                | Fault::HostCpu { .. }
                | Fault::Gauge { .. } => false,
            },
            Self::Latency => self.moved_by(fault),
            Self::Gauge(_) | Self::Presence | Self::Processors => false,
            Self::Unknown => true,
        }
    }
}

/// Whether Prometheus cannot scrape the part while `fault` is there.
fn breaks_scrapes(fault: &Fault) -> bool {
    match fault {
        Fault::Kill { .. } | Fault::Refuse { .. } | Fault::BadMetrics { how: BadMetrics::Garbage, .. } => {
            true
        }
        // A hanging service still serves its metrics.
        Fault::BadMetrics { how: BadMetrics::Missing | BadMetrics::WrongLabels, .. }
        | Fault::Errors { .. }
        | Fault::Latency { .. }
        | Fault::Hang { .. }
        | Fault::SlowBody { .. }
        | Fault::Memory { .. }
        | Fault::Cpu { .. }
        | Fault::HostCpu { .. }
        | Fault::Gauge { .. } => false,
    }
}

/// Whether a gauge named `metric` has its new value at the first scrape after `fault` began, and its old one at the
/// first after it ended.
pub(crate) fn is_immediate(metric: Option<&str>, fault: &Fault) -> bool {
    match metric {
        Some("up") => breaks_scrapes(fault),
        Some(metric) if metric.ends_with("_up") => matches!(fault, Fault::Kill { .. }),
        Some(_) | None => false,
    }
}

/// The place in the plan of the fault that causes the alert. The best of these kinds; of one kind the first, but before it
/// one that plants a value for which the rule's comparison is true:
/// 1. one on the alert's own service that moves what the rule watches;
/// 2. where the alert names no service, one that moves it on the part that it breaks;
/// 3. one on another part that moves it here: callers fail and wait with those they call;
/// 4. any on the alert's own service;
/// 5. any.
pub(crate) fn of(plan: &Plan, alert: &AlertPlan) -> Option<usize> {
    let signal = Signal::of(&alert.analysis.shape);
    let service = alert.labels.get("service");
    let rank = |fault: &Fault| {
        let own = service.is_some_and(|name| name == fault.part());
        let moved = signal.moved_by(fault) && is_read(alert, fault);
        if own && moved {
            1
        } else if service.is_none() && moved {
            2
        } else if !own && signal.moved_elsewhere_by(fault) {
            3
        } else if own {
            4
        } else {
            5
        }
    };
    let ranked = plan.faults.iter().enumerate().map(|(index, (_, fault))| {
        let too_little = !is_enough(&alert.analysis.shape, fault);
        (rank(fault), too_little, index)
    });
    ranked.min().map(|(_, _, index)| index)
}

/// Whether the value that `fault` plants satisfies the comparison of a rule of `shape`; true where either has none.
fn is_enough(shape: &Shape, fault: &Fault) -> bool {
    let (Shape::Gauge { op, threshold, .. }, Fault::Gauge { value, .. }) = (shape, fault) else {
        return true;
    };
    op.holds(*value, *threshold)
}

/// Whether the alert is about the gauge that `fault` plants: the rule selects it, and the alert's own label is not that of
/// another one. True of faults that plant none, and of rules that are not about a gauge.
fn is_read(alert: &AlertPlan, fault: &Fault) -> bool {
    let (Shape::Gauge { selector, .. }, Some(name)) = (&alert.analysis.shape, fault.planted_gauge()) else {
        return true;
    };
    let labels = Labels::from([(GAUGE_LABEL.to_owned(), name.to_owned())]);
    let narrows = |matcher: &&LabelMatcher| matcher.name() == GAUGE_LABEL;
    selector.matchers.iter().filter(narrows).all(|matcher| matcher.matches(&labels))
        && alert.labels.get(GAUGE_LABEL).is_none_or(|expected| expected == name)
}

/// The fault at `position` as it really was: one that sits in a process ends with it, when the process is killed.
/// Whether it ended so comes with it.
pub(crate) fn as_it_was(plan: &Plan, evidence: &Evidence, position: usize) -> Option<(FaultRecord, bool)> {
    let mut record = evidence.faults.get(position)?.clone();
    let (_, fault) = plan.faults.get(position)?;
    let kills =
        plan.faults.iter().zip(&evidence.faults).enumerate().filter(|(index, ((_, other), killed))| {
            *index != position
                && matches!(other, Fault::Kill { part, .. } if part == fault.part())
                && killed.injected.is_some()
                && killed.asked > record.asked
                && record.undo_asked.is_none_or(|undo| killed.asked < undo)
        });
    let first = kills.map(|(_, (_, killed))| killed).min_by_key(|killed| killed.asked).cloned();
    let Some(kill) = first else { return Some((record, false)) };
    record.undo_asked = Some(kill.asked);
    record.undone = kill.injected;
    Some((record, true))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::checks::fixtures;

    const LASTS: Duration = Duration::from_mins(5);

    fn errors(service: &str) -> Fault {
        Fault::Errors { service: service.parse().unwrap(), ratio: "30%".parse().unwrap(), lasts: LASTS }
    }

    fn kill(part: &str) -> Fault {
        Fault::Kill { part: part.into(), lasts: LASTS }
    }

    fn latency(service: &str) -> Fault {
        let added = Duration::from_millis(800);
        Fault::Latency { service: service.parse().unwrap(), added, route: None, lasts: LASTS }
    }

    fn hang(service: &str) -> Fault {
        Fault::Hang { service: service.parse().unwrap(), lasts: LASTS }
    }

    fn bad_metrics(service: &str, how: BadMetrics) -> Fault {
        Fault::BadMetrics { service: service.parse().unwrap(), how, lasts: LASTS }
    }

    const ERROR_RATE: &str = "sum by (service) (rate(http_requests_total{status=~\"5..\"}[5s])) \
         / sum by (service) (rate(http_requests_total[5s])) > 0.05";
    const P95: &str = "histogram_quantile(0.95, sum by (service, le) \
         (rate(http_request_duration_seconds_bucket[5s]))) > 0.5";

    /// The cause of an alert of `expr` about `service`, in the words of the fault.
    fn cause(expr: &str, service: Option<&str>, faults: &[Fault]) -> String {
        let labels = service.map(|name| ("service", name));
        cause_of_alert(expr, labels.as_slice(), faults)
    }

    /// The same of an alert that must carry `labels`.
    fn cause_of_alert(expr: &str, labels: &[(&str, &str)], faults: &[Fault]) -> String {
        let mut plan = fixtures::plan();
        plan.faults = faults.iter().map(|fault| (LASTS, fault.clone())).collect();
        let firedrill_drill::Expectation::Alert(mut expectation) = plan.expect[0].clone() else {
            panic!("the fixture expects an alert")
        };
        expectation.labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let mut live = fixtures::configuration();
        live.rules[0].expr = expr.into();
        let alert = AlertPlan::make(&plan, &live, &expectation).unwrap();
        plan.faults[of(&plan, &alert).unwrap()].1.to_string()
    }

    #[test]
    fn errors_cause_the_error_rate_of_their_service_and_a_kill_that_it_is_down() {
        let faults = [errors("auth"), kill("auth")];
        assert_eq!(cause(ERROR_RATE, Some("auth"), &faults), "errors 30% on auth");
        assert_eq!(cause("up{job=\"services\"} == 0", Some("auth"), &faults), "kill auth");
        assert_eq!(cause("up{job=\"services\"} == 0", None, &faults), "kill auth");
    }

    #[test]
    fn callers_fail_and_wait_with_those_they_call() {
        assert_eq!(cause(ERROR_RATE, Some("gateway"), &[latency("user"), kill("auth")]), "kill auth");
        assert_eq!(cause(ERROR_RATE, Some("gateway"), &[latency("chat"), hang("user")]), "hang of user");
        assert_eq!(cause(P95, Some("gateway"), &[errors("user"), latency("chat")]), "latency 800ms on chat");
    }

    #[test]
    fn the_own_service_comes_first() {
        assert_eq!(cause(P95, Some("chat"), &[latency("user"), latency("chat")]), "latency 800ms on chat");
        assert_eq!(
            cause(ERROR_RATE, Some("gateway"), &[kill("auth"), errors("gateway")]),
            "errors 30% on gateway"
        );
    }

    #[test]
    fn processors_are_busy_because_of_the_burner_and_a_planted_gauge_is_its_own_cause() {
        let burner = Fault::HostCpu { cores: None, lasts: LASTS };
        let gauge = Fault::Gauge { name: Fault::DEFAULT_GAUGE.to_owned(), value: 1.0, lasts: LASTS };
        let faults = [errors("user"), gauge.clone(), burner.clone()];
        let cpu = "100 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[5s])) * 100 > 80";
        assert_eq!(cause(cpu, None, &faults), burner.to_string());
        let share = "sum(rate(node_cpu_seconds_total{mode!=\"idle\"}[5s])) / sum(rate(node_cpu_seconds_total[5s])) > 0.8";
        assert_eq!(cause(share, None, &faults), burner.to_string());
        assert_eq!(cause("firedrill_planted > 0", None, &faults), gauge.to_string());
        let depth = Fault::Gauge { name: "depth".to_owned(), value: 1.0, lasts: LASTS };
        let both = [gauge, depth.clone()];
        assert_eq!(cause("firedrill_planted{gauge=\"depth\"} > 0", None, &both), depth.to_string());
    }

    #[test]
    fn of_two_planted_gauges_the_one_that_the_alert_names_is_the_cause() {
        let planted = |name: &str| Fault::Gauge { name: name.to_owned(), value: 1.0, lasts: LASTS };
        let both = [planted("short"), planted("long")];
        let named = |name| cause_of_alert("firedrill_planted > 0.5", &[("gauge", name)], &both);
        assert_eq!((named("short"), named("long")), (both[0].to_string(), both[1].to_string()));
        assert_eq!(
            cause("firedrill_planted > 0.5", None, &both),
            both[0].to_string(),
            "the alert names none"
        );
    }

    #[test]
    fn of_two_values_of_one_gauge_the_one_that_satisfies_the_comparison_is_the_cause() {
        let planted = |value| Fault::Gauge { name: "depth".to_owned(), value, lasts: LASTS };
        let (three, ten) = (planted(3.0), planted(10.0));
        let both = [three.clone(), ten.clone()];
        let asked = |comparison: &str| format!("firedrill_planted{{gauge=\"depth\"}} {comparison}");
        assert_eq!(cause(&asked("> 5"), None, &both), ten.to_string());
        assert_eq!(cause(&asked("< 5"), None, &[ten.clone(), three.clone()]), three.to_string());
        // The first of those that satisfy it, and the first where none does.
        assert_eq!(cause(&asked("> 1"), None, &both), three.to_string());
        assert_eq!(cause(&asked("> 50"), None, &both), three.to_string());
    }

    #[test]
    fn redis_is_down_because_redis_was_killed() {
        assert_eq!(cause("redis_up == 0", None, &[kill("auth"), kill("redis")]), "kill redis");
    }

    #[test]
    fn a_hanging_service_is_scraped_and_one_that_serves_garbage_is_not() {
        let faults = [
            hang("user"),
            bad_metrics("user", BadMetrics::Missing),
            bad_metrics("user", BadMetrics::Garbage),
        ];
        assert_eq!(cause("up == 0", Some("user"), &faults), "metrics garbage on user");
        assert_eq!(
            cause("absent(http_requests_total{service=\"user\"})", Some("user"), &faults),
            "metrics missing on user"
        );
    }

    #[test]
    fn a_fault_inside_a_process_ends_when_the_process_is_killed() {
        let mut plan = fixtures::plan();
        plan.faults.push((LASTS, kill("user")));
        let mut evidence = fixtures::alert_evidence();
        assert_eq!(as_it_was(&plan, &evidence, 0), Some((evidence.faults[0].clone(), false)));
        let mut killed = evidence.faults[0].clone();
        (killed.asked, killed.injected) = (fixtures::at(15_000), Some(fixtures::at(15_003)));
        evidence.faults.push(killed);
        let (record, cut) = as_it_was(&plan, &evidence, 0).unwrap();
        assert!(cut);
        assert_eq!(
            (record.undo_asked, record.undone),
            (Some(fixtures::at(15_000)), Some(fixtures::at(15_003)))
        );
    }
}
