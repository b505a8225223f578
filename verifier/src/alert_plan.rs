//! What the running configuration makes of an expected alert: its rule, its route, its clockwork and how its
//! expression follows the fault.

use firedrill_drill::{AlertExpectation, AlertOutcome, Fault};
use firedrill_record::{FaultRecord, Labels, Ledger, Reason, ServiceName};
use firedrill_rulebook::{
    AlertmanagerConfig, Analysis, Comparison, Grouping, LabelMatcher, LoadedRules, MatchOperator,
    PrometheusConfig, RUN_LABEL, RecordingRules, ResolvedRoute, Rule, RuleFile, RuleGroup, RulePosition,
    SelectorInfo, Shape, analyse, longest_history,
};
use jiff::{SignedDuration, Timestamp};

use crate::cause::is_immediate;
use crate::deadline::{Clockwork, Crossing};
use crate::evidence::{LiveConfiguration, LiveRule};
use crate::plan::Plan;

/// An expected alert under the running configuration.
#[derive(Debug, Clone)]
pub struct AlertPlan {
    /// The rule that makes it.
    pub rule: LiveRule,
    /// All labels it is known to have: those expected and those of the rule.
    pub labels: Labels,
    /// The route that leads to the expected receiver.
    pub route: ResolvedRoute,
    /// Its intervals.
    pub clockwork: Clockwork,
    /// What kind of condition it is.
    pub analysis: Analysis,
    /// Seconds that its expression looks back, through recording rules.
    pub history: f64,
    /// Whether a mute or active time interval of the route keeps it silent whenever that is.
    pub always_muted: bool,
    /// By how much time was compressed.
    speed: u32,
}

/// Why there is no plan: a reason and a sentence.
pub(crate) type NoPlan = (Reason, String);

/// The load of a service before and under a fault, by the ledger.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    /// Requests in the window before the fault, and the failed ones among them.
    pub before: (u64, u64),
    /// Requests under the fault, and the failed ones among them.
    pub during: (u64, u64),
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
        Some(Self {
            before: ledger.closed_between(service, before_start, fault.asked),
            during,
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
    /// Finds the rule and the route of `expectation` in the running configuration.
    ///
    /// # Errors
    /// The reason and a sentence, when the configuration can never lead to what is expected: this needs no waiting.
    pub fn make(
        plan: &Plan,
        configuration: &LiveConfiguration,
        expectation: &AlertExpectation,
    ) -> Result<Self, NoPlan> {
        if let Some((rule, why)) = plan.left_out.iter().find(|(rule, _)| rule == expectation.name.as_str()) {
            return Err((
                Reason::NotCompressible,
                format!("rule {rule} was left out at speed {}: {why}", plan.speed),
            ));
        }
        let unreadable = |what: &str, error: &dyn std::fmt::Display| {
            (Reason::EvidenceMissing, format!("{what} could not be understood: {error}"))
        };
        let rule = rule_of(configuration, expectation)?;
        if rule.health == "err" {
            return Err((
                Reason::RuleUnhealthy,
                format!("rule {} is loaded and its evaluation fails: {}", rule.name, rule.last_error),
            ));
        }
        let prometheus = PrometheusConfig::parse(&configuration.prometheus_yaml)
            .map_err(|error| unreadable("Prometheus's configuration", &error))?;
        let alertmanager = AlertmanagerConfig::parse(&configuration.alertmanager_yaml)
            .map_err(|error| unreadable("Alertmanager's configuration", &error))?;
        let mut labels = expectation.labels.clone();
        for (name, value) in &rule.labels {
            // A templated label has no value yet.
            if !value.contains("{{") {
                labels.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        labels.insert("alertname".to_owned(), rule.name.clone());
        let route = route_of(&alertmanager, &with_target_labels(&prometheus, &labels), expectation)?;
        labels.insert(RUN_LABEL.to_owned(), plan.number.to_string());
        let (rules, position) = as_rulebook(&configuration.rules, rule);
        let recording = RecordingRules::of(&rules).map_err(|error| unreadable("a recording rule", &error))?;
        let analysis = analyse(&rule.expr, &recording, Some(&position))
            .map_err(|error| unreadable("the rule's expression", &error))?;
        let history = longest_history(&rule.expr, &recording)
            .map_err(|error| unreadable("the rule's expression", &error))?
            .as_secs_f64();
        let late_recordings = analysis.recorded.iter().filter(|step| !step.same_evaluation).count();
        let scrape = prometheus
            .jobs
            .iter()
            .map(|job| job.scrape_interval)
            .max()
            .unwrap_or(prometheus.scrape_interval)
            .as_secs_f64();
        let clockwork = Clockwork {
            scrape,
            evaluation: rule.interval,
            recording_delay: late_recordings as f64 * rule.interval,
            r#for: rule.r#for,
            keep_firing_for: rule.keep_firing_for,
            group_wait: route.group_wait.as_secs_f64(),
            group_interval: route.group_interval.as_secs_f64(),
        };
        let always_muted = route.mute_time_intervals.iter().any(|name| alertmanager.is_always(name));
        Ok(Self {
            rule: rule.clone(),
            labels,
            route,
            clockwork,
            analysis,
            history,
            always_muted,
            speed: plan.speed,
        })
    }

    /// How the expression follows `fault`: by what the ledger shows of it, or before anything was measured by what is
    /// planned. Solved are error ratios under injected errors, and gauges that tell whether a part that is gone is there;
    /// everything else has an outer bound.
    pub fn crossing(&self, fault: &Fault, baseline: Option<&Baseline>) -> Crossing {
        let solved = match (&self.analysis.shape, fault) {
            (Shape::Gauge { selector, .. }, _) if is_immediate(selector.metric.as_deref(), fault) => {
                Some(Crossing::Immediate)
            }
            (_, Fault::Errors { service, ratio, .. }) => {
                let is_own = self.labels.get("service").is_none_or(|own| own == service.as_str());
                match baseline {
                    Some(it) => self.ratio(it.ratio_before(), it.ratio_during()),
                    // How much of it callers see is not known before.
                    None => self.ratio(0.0, ratio.share()).filter(|_| is_own),
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
                | Fault::HostCpu { .. }
                | Fault::Gauge { .. },
            ) => None,
        };
        solved.unwrap_or_else(|| self.unsolved(fault))
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

    /// The crossing of an error ratio that steps from `before` to `during`; none for other shapes.
    fn ratio(&self, before: f64, during: f64) -> Option<Crossing> {
        match &self.analysis.shape {
            Shape::Ratio {
                op: Comparison::Greater | Comparison::GreaterOrEqual,
                threshold,
                window,
                bad,
                total,
                by,
            } if is_error_ratio_by_service(bad, total, by) => {
                Some(Crossing::Ratio { window: window.as_secs_f64(), threshold: *threshold, before, during })
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

    /// Whether its condition is the share of failed requests that the ledger knows too.
    pub fn is_error_ratio(&self) -> bool {
        self.ratio(0.0, 0.0).is_some()
    }

    /// The service whose requests the rule looks at: the expected label, else the one that the fault is on. None when
    /// that is no service.
    pub fn service(&self, plan: &Plan, fault: &Fault) -> Option<ServiceName> {
        let name = self.labels.get("service").map_or(fault.part(), String::as_str);
        plan.services.iter().find(|service| service.as_str() == name).cloned()
    }

    /// Why too few events fall into the rule's window to tell the measured ratio from chance: the threshold must be
    /// five standard deviations away, σ² = e(1−e)/n. None when there are enough.
    pub fn too_few_events(&self, baseline: &Baseline) -> Option<String> {
        let ratio = self.ratio(baseline.ratio_before(), baseline.ratio_during())?;
        let Crossing::Ratio { window, threshold, during, .. } = ratio else { return None };
        let events = baseline.per_second * window;
        let sigma = (during * (1.0 - during) / events.max(1.0)).sqrt();
        let distance = (during - threshold).abs();
        (events < 1.0 || distance < 5.0 * sigma).then(|| {
            format!(
                "{events:.0} requests fall into the window of {window}s: the ratio {during:.4} is {distance:.4} from the threshold, 5σ are {:.4}",
                5.0 * sigma
            )
        })
    }
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
    *by == Grouping::By(vec!["service".to_owned()]) && errors == 1 && bad_rest && total_rest
}

/// The rule that makes the alert: of that name, with no label that contradicts the expected ones.
fn rule_of<'a>(
    configuration: &'a LiveConfiguration,
    expectation: &AlertExpectation,
) -> Result<&'a LiveRule, NoPlan> {
    let named =
        || configuration.rules.iter().filter(|rule| rule.alerting && rule.name == expectation.name.as_str());
    let contradiction = |rule: &LiveRule| {
        expectation.labels.iter().find_map(|(name, wanted)| {
            let value = rule.labels.get(name)?;
            (value != wanted && !value.contains("{{")).then(|| format!("{name} is {value:?}, not {wanted:?}"))
        })
    };
    if let Some(rule) = named().find(|rule| contradiction(rule).is_none()) {
        return Ok(rule);
    }
    let loaded = configuration.rules.iter().filter(|rule| rule.alerting).count();
    let why = match named().find_map(contradiction) {
        Some(why) => format!("rule {} is loaded, but its label {why}", expectation.name),
        None => format!("none of the {loaded} loaded alerting rules is named {}", expectation.name),
    };
    Err((Reason::RuleAbsent, why))
}

/// `labels` and those that the target they name adds to every series: routes may read them.
fn with_target_labels(prometheus: &PrometheusConfig, labels: &Labels) -> Labels {
    let all = prometheus
        .jobs
        .iter()
        .flat_map(|job| job.targets.iter().map(|target| target.series_labels(&job.name)));
    let mut named = all.filter(|target| {
        let shared = target.iter().filter(|(name, _)| labels.contains_key(*name)).count();
        shared > 0 && target.iter().all(|(name, value)| labels.get(name).is_none_or(|wanted| wanted == value))
    });
    let mut known = labels.clone();
    if let Some(target) = named.next() {
        for (name, value) in target {
            known.entry(name).or_insert(value);
        }
    }
    known
}

fn route_of(
    alertmanager: &AlertmanagerConfig,
    labels: &Labels,
    expectation: &AlertExpectation,
) -> Result<ResolvedRoute, NoPlan> {
    let mut routes = alertmanager.routes_for(labels);
    let receivers: Vec<String> =
        routes.iter().map(|route| format!("{} by {}", route.receiver, route.path)).collect();
    let (position, wanted) = match &expectation.outcome {
        AlertOutcome::Notified(receiver) => {
            (routes.iter().position(|route| route.receiver == *receiver), format!("to {receiver}"))
        }
        // Inhibition comes before every route.
        AlertOutcome::InhibitedBy(_) => ((!routes.is_empty()).then_some(0), "anywhere".to_owned()),
    };
    position.map(|position| routes.swap_remove(position)).ok_or_else(|| {
        (Reason::NotRouted, format!("{expectation} is routed to {}, not {wanted}", receivers.join(" and ")))
    })
}

/// The live rules as the rulebook knows them, and where `wanted` stands among them.
fn as_rulebook(rules: &[LiveRule], wanted: &LiveRule) -> (LoadedRules, RulePosition) {
    let mut groups: Vec<RuleGroup> = Vec::new();
    let mut position = RulePosition { file: String::new(), group: String::new(), index: 0 };
    for rule in rules {
        let index = groups.iter().position(|group| group.name == rule.group).unwrap_or_else(|| {
            groups.push(RuleGroup { name: rule.group.clone(), interval: None, rules: Vec::new() });
            groups.len() - 1
        });
        let group = &mut groups[index];
        if std::ptr::eq(rule, wanted) {
            position =
                RulePosition { file: String::new(), group: rule.group.clone(), index: group.rules.len() };
        }
        group.rules.push(if rule.alerting {
            Rule::Alerting(firedrill_rulebook::AlertingRule {
                name: rule.name.clone(),
                expr: rule.expr.clone(),
                r#for: std::time::Duration::ZERO,
                keep_firing_for: std::time::Duration::ZERO,
                labels: rule.labels.clone(),
                annotations: Labels::new(),
            })
        } else {
            Rule::Recording(firedrill_rulebook::RecordingRule {
                name: rule.name.clone(),
                expr: rule.expr.clone(),
                labels: rule.labels.clone(),
            })
        });
    }
    (LoadedRules { files: vec![(String::new(), RuleFile { groups })] }, position)
}

/// Seconds that any loaded alerting rule but the always-firing ones looks back: what steady load has to fill before a
/// fault may start.
pub fn longest_history_of_all(configuration: &LiveConfiguration, except: &[String]) -> f64 {
    configuration
        .rules
        .iter()
        .filter(|rule| rule.alerting && !except.contains(&rule.name))
        .filter_map(|rule| {
            let (rules, _) = as_rulebook(&configuration.rules, rule);
            let recording = RecordingRules::of(&rules).ok()?;
            Some(longest_history(&rule.expr, &recording).ok()?.as_secs_f64() + rule.interval)
        })
        .fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use firedrill_drill::Expectation;

    use super::*;
    use crate::checks::fixtures;

    fn expectation() -> AlertExpectation {
        let Expectation::Alert(alert) = fixtures::plan().expect.remove(0) else {
            panic!("the fixture expects an alert first")
        };
        alert
    }

    fn made(change: impl FnOnce(&mut LiveConfiguration)) -> Result<AlertPlan, NoPlan> {
        let mut configuration = fixtures::configuration();
        change(&mut configuration);
        AlertPlan::make(&fixtures::plan(), &configuration, &expectation())
    }

    #[test]
    fn rule_and_route_give_the_clockwork() {
        let plan = made(|_| {}).unwrap();
        assert!((plan.clockwork.pending_time() - 5.0).abs() < 1e-9);
        assert!((plan.clockwork.group_interval - 5.0).abs() < 1e-9);
        assert!((plan.history - 5.0).abs() < 1e-9, "{}", plan.history);
        let fault = &fixtures::plan().faults[0].1;
        assert!(
            matches!(plan.crossing(fault, None), Crossing::Ratio { threshold, .. } if (threshold - 0.05).abs() < 1e-9)
        );
    }

    #[test]
    fn a_missing_rule_or_one_with_other_labels_is_absent() {
        assert_eq!(made(|live| live.rules.truncate(0)).unwrap_err().0, Reason::RuleAbsent);
        let (reason, why) = made(|live| {
            live.rules[0].labels.insert("service".into(), "chat".into());
        })
        .unwrap_err();
        assert_eq!(reason, Reason::RuleAbsent);
        assert!(why.contains("chat"), "{why}");
    }

    #[test]
    fn an_alert_that_goes_to_somebody_else_is_not_routed() {
        let (reason, why) = made(|live| {
            live.alertmanager_yaml =
                live.alertmanager_yaml.replacen("receiver: notification-service", "receiver: nobody", 1);
        })
        .unwrap_err();
        assert_eq!(reason, Reason::NotRouted);
        assert!(why.contains("nobody"), "{why}");
    }

    #[test]
    fn only_errors_and_parts_that_are_gone_are_solved() {
        let up = made(|live| live.rules[0].expr = "up{job=\"services\"} == 0".into()).unwrap();
        let errors = made(|_| {}).unwrap();
        let lasts = std::time::Duration::from_mins(1);
        let kill = |part: &str| Fault::Kill { part: part.into(), lasts };
        let hang = Fault::Hang { service: "user".parse().unwrap(), lasts };
        let of_another =
            Fault::Errors { service: "auth".parse().unwrap(), ratio: "1%".parse().unwrap(), lasts };
        assert_eq!(up.crossing(&kill("user"), None), Crossing::Immediate);
        assert!(matches!(up.crossing(&hang, None), Crossing::Within { .. }));
        assert!(matches!(errors.crossing(&kill("auth"), None), Crossing::Within { .. }));
        // Nobody knows before how much of another service's errors show here.
        assert!(matches!(errors.crossing(&of_another, None), Crossing::Within { .. }));
        let seen = Baseline { before: (500, 0), during: (1000, 300), per_second: 100.0 };
        assert!(matches!(errors.crossing(&of_another, Some(&seen)), Crossing::Ratio { .. }));
    }

    #[test]
    fn few_events_or_a_ratio_near_the_threshold_do_not_tell() {
        let plan = made(|_| {}).unwrap();
        let baseline =
            |per_second: f64, failed| Baseline { before: (500, 0), during: (1000, failed), per_second };
        assert_eq!(plan.too_few_events(&baseline(100.0, 300)), None);
        assert!(plan.too_few_events(&baseline(2.0, 300)).is_some());
        assert!(plan.too_few_events(&baseline(100.0, 60)).is_some());
    }

    #[test]
    fn the_longest_history_is_that_of_the_widest_window_and_an_evaluation() {
        let all = longest_history_of_all(&fixtures::configuration(), &[]);
        assert!((all - 5.25).abs() < 1e-9, "{all}");
    }
}
