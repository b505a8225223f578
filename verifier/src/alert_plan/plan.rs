//! The plan of an expected alert.

use firedrill_drill::{AlertExpectation, Fault};
use firedrill_record::{Labels, Reason, ServiceName};
use firedrill_rulebook::{
    AlertmanagerConfig, Analysis, PrometheusConfig, RUN_LABEL, ResolvedRoute, ScaledFlags,
};
use jiff::{SignedDuration, Timestamp};

use crate::deadline::Clockwork;
use crate::evidence::{Evidence, LiveConfiguration, LiveRule, Series};
use crate::plan::Plan;

use super::{analysis_of, loaded, scraping};

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
    /// Alertmanager's configuration, for the time intervals of the route.
    pub(super) alertmanager: AlertmanagerConfig,
    /// The scrape jobs that may feed the rule.
    jobs: Vec<String>,
    /// By how much time was compressed.
    pub(super) speed: u32,
}

/// Why there is no plan: a reason and a sentence.
pub(crate) type NoPlan = (Reason, String);

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
        let rule = loaded::rule_of(configuration, expectation)?;
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
        let route =
            loaded::route_of(&alertmanager, &loaded::with_target_labels(&prometheus, &labels), expectation)?;
        labels.insert(RUN_LABEL.to_owned(), plan.number.to_string());
        let (analysis, history) = analysis_of(configuration, rule)
            .map_err(|error| unreadable("the rule's expression or a recording rule", &error))?;
        let scraping = scraping::feeding(&prometheus, &analysis.shape, &expectation.labels);
        let flags = ScaledFlags::at(plan.speed);
        let clockwork = Clockwork {
            scrape: scraping.interval,
            scrape_timeout: scraping.timeout,
            evaluation: rule.interval,
            recording_delay: loaded::recording_delay(configuration, &analysis, rule),
            r#for: rule.r#for,
            keep_firing_for: rule.keep_firing_for,
            group_wait: route.group_wait.as_secs_f64(),
            group_interval: route.group_interval.as_secs_f64(),
            repeat_interval: route.repeat_interval.as_secs_f64(),
            resend: configuration.resend_delay.unwrap_or(flags.resend_delay.as_secs_f64()),
            lost_alerts: false,
        };
        Ok(Self {
            rule: rule.clone(),
            labels,
            route,
            clockwork,
            analysis,
            history,
            alertmanager,
            jobs: scraping.jobs,
            speed: plan.speed,
        })
    }

    /// The same with what Prometheus itself counted in the drill: whether alerts were lost on their way to Alertmanager.
    #[must_use]
    pub fn as_measured(mut self, evidence: &Evidence) -> Self {
        self.clockwork.lost_alerts = evidence.lost_alerts.as_ref().is_ok_and(|lost| *lost >= 1.0);
        self
    }

    /// The longest scrape, in seconds, of a target that may feed the rule, among those that began between `from` and
    /// `until`, or in the interval before; none when Prometheus was not asked, or knows none.
    pub fn longest_scrape(&self, evidence: &Evidence, from: Timestamp, until: Timestamp) -> Option<f64> {
        let before = SignedDuration::try_from_secs_f64(self.clockwork.scrape).ok()?;
        let times = from.checked_sub(before).ok()?.as_millisecond()..=until.as_millisecond();
        let may_feed = |series: &&Series| {
            let job = series.label("job");
            self.jobs.iter().any(|one| one == job)
                && series
                    .labels
                    .iter()
                    .all(|(name, value)| self.labels.get(name).is_none_or(|it| it == value))
        };
        let scrapes = evidence.scrapes.as_ref().ok()?.iter().filter(may_feed);
        let samples = scrapes.flat_map(|series| &series.samples);
        samples.filter(|sample| times.contains(&sample.at_ms)).map(|sample| sample.value).reduce(f64::max)
    }

    /// Whether an alert with `labels` takes the same route: Alertmanager's groups are those of a route.
    pub(crate) fn takes_its_route(&self, labels: &Labels) -> bool {
        self.alertmanager.routes_for(labels).iter().any(|route| route.path == self.route.path)
    }

    /// The service whose requests the rule looks at: the expected label, else the one that the fault is on. None when
    /// that is no service.
    pub fn service(&self, plan: &Plan, fault: &Fault) -> Option<ServiceName> {
        let name = self.labels.get("service").map_or(fault.part(), String::as_str);
        plan.services.iter().find(|service| service.as_str() == name).cloned()
    }
}
