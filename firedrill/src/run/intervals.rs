//! The intervals of the running configuration, and how long a drill may wait because of them.

use std::time::Duration;

use firedrill_rulebook::{AlertmanagerConfig, PrometheusConfig, Route};
use firedrill_verifier::{Plan, Watch, longest_history_of_all};

/// Beyond the history that load has to fill and some evaluations, settling may take so many seconds.
const SETTLE_EXTRA: f64 = 30.0;

/// Intervals of the running configuration, in wall seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intervals {
    /// The scrape interval.
    pub(super) scrape: f64,
    /// The evaluation interval.
    pub(super) evaluation: f64,
    /// What steady load has to fill.
    pub(super) history: f64,
    /// The longest `for`.
    longest_for: f64,
    /// The slowest group.
    group_interval: f64,
}

impl Intervals {
    /// From the configuration that `watch` has read; guesses that only bound waiting when it could not.
    pub(super) fn of(plan: &Plan, watch: &Watch) -> Self {
        let Ok(live) = &watch.evidence.configuration else {
            return Self {
                scrape: 1.0,
                evaluation: 1.0,
                history: 0.0,
                longest_for: 0.0,
                group_interval: 0.0,
            };
        };
        let prometheus = PrometheusConfig::parse(&live.prometheus_yaml).ok();
        let seconds = |duration: Option<Duration>| duration.map_or(1.0, |it| it.as_secs_f64());
        let alertmanager = AlertmanagerConfig::parse(&live.alertmanager_yaml).ok();
        let slowest = |route: &Route| {
            fn slowest(route: &Route) -> Duration {
                let own = route.group_interval.unwrap_or_default();
                route.routes.iter().map(slowest).fold(own, Duration::max)
            }
            slowest(route).as_secs_f64()
        };
        Self {
            scrape: seconds(prometheus.as_ref().map(|it| it.scrape_interval)),
            evaluation: seconds(prometheus.as_ref().map(|it| it.evaluation_interval)),
            history: longest_history_of_all(live, &plan.always_firing),
            longest_for: live.rules.iter().map(|rule| rule.r#for).fold(0.0, f64::max),
            group_interval: alertmanager.map_or(0.0, |it| slowest(&it.route)),
        }
    }

    /// An upper bound of the wall seconds that the whole drill can take, from its load on.
    pub(super) fn whole(&self, plan: &Plan) -> f64 {
        let last = plan
            .faults
            .iter()
            .map(|(at, fault)| plan.wall_seconds(*at) + self.settling() + plan.wall_seconds(fault.lasts()))
            .fold(0.0, f64::max);
        last + 2.0 * self.history + 2.0 * self.group_interval + self.aftermath()
    }

    /// So long after a fault what it left in the windows may still make an alert fire.
    pub(super) fn aftermath(&self) -> f64 {
        self.history + self.longest_for + 2.0 * (self.scrape + self.evaluation)
    }

    /// Load may run so many seconds before the stack has to be steady.
    pub(super) fn settling(&self) -> f64 {
        self.history + 4.0 * self.scrape.max(self.evaluation) + SETTLE_EXTRA
    }
}
