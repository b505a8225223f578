//! The intervals of the running configuration, and how long a drill may wait because of them.

use std::time::Duration;

use firedrill_rulebook::{AlertmanagerConfig, PrometheusConfig, Route, ScaledFlags};
use firedrill_verifier::{LiveRule, Plan, Watch, longest_history_of_all};

/// Prometheus tells its scrapers and its notifier of targets every so many seconds only, at any speed.
const DISCOVERY: f64 = 5.0;

/// An alert that Prometheus sends no more ends in Alertmanager after so many resend delays (`rules.SendAlerts`).
const RESENDS_UNTIL_THE_END: f64 = 4.0;

/// Intervals of the running configuration, in wall seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intervals {
    /// The longest scrape interval of any job.
    pub(super) scrape: f64,
    /// The longest evaluation interval of any group.
    pub(super) evaluation: f64,
    /// What steady load has to fill.
    pub(super) history: f64,
    /// The longest `for`.
    longest_for: f64,
    /// The longest `keep_firing_for`.
    longest_keep: f64,
    /// Prometheus sends alerts again after so long.
    resend: f64,
    /// The slowest group.
    group_interval: f64,
}

impl Intervals {
    /// From the configuration that `watch` has read; guesses that only bound waiting when it could not.
    pub(super) fn of(plan: &Plan, watch: &Watch) -> Self {
        let resend = ScaledFlags::at(plan.speed).resend_delay.as_secs_f64();
        let Ok(live) = &watch.evidence.configuration else {
            return Self {
                scrape: 1.0,
                evaluation: 1.0,
                history: 0.0,
                longest_for: 0.0,
                longest_keep: 0.0,
                resend,
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
        let slowest_job = |it: &PrometheusConfig| {
            it.jobs.iter().map(|job| job.scrape_interval).max().unwrap_or(it.scrape_interval)
        };
        let slowest_group = live.rules.iter().map(|rule| rule.interval).reduce(f64::max);
        let longest = |of: fn(&LiveRule) -> f64| live.rules.iter().map(of).fold(0.0, f64::max);
        Self {
            scrape: seconds(prometheus.as_ref().map(slowest_job)),
            evaluation: slowest_group
                .unwrap_or_else(|| seconds(prometheus.as_ref().map(|it| it.evaluation_interval))),
            history: longest_history_of_all(live, &plan.always_firing),
            longest_for: longest(|rule| rule.r#for),
            longest_keep: longest(|rule| rule.keep_firing_for),
            resend: live.resend_delay.unwrap_or(resend),
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

    /// Load may run so many seconds before the stack has to be steady, each term what the one before may be followed by:
    /// the load fills every window, two scrapes more; what an earlier drill left in the windows has gone by then, and its
    /// alerts fire as long as `keep_firing_for` says; Prometheus sees it at an evaluation; Alertmanager hears of it, or
    /// where that was lost lets the alert end by itself. Discovery may delay any of this once.
    pub(super) fn settling(&self) -> f64 {
        let slowest = self.scrape.max(self.evaluation);
        let filled = self.history + 2.0 * slowest;
        let resolved = self.longest_keep + 2.0 * slowest;
        let ended = RESENDS_UNTIL_THE_END * self.resend.max(self.evaluation);
        filled + resolved + ended + DISCOVERY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_for_a_steady_stack_is_bounded_by_the_configuration() {
        let intervals = Intervals {
            scrape: 0.25,
            evaluation: 0.25,
            history: 5.25,
            longest_for: 5.0,
            longest_keep: 2.0,
            resend: 1.0,
            group_interval: 5.0,
        };
        // 5.25 + 0.5 to fill, 2 + 0.5 to resolve, 4 to end in Alertmanager, 5 of discovery.
        assert!((intervals.settling() - 17.25).abs() < 1e-9);
        // What a fault left: the windows, `for`, two scrapes and two evaluations.
        assert!((intervals.aftermath() - 11.25).abs() < 1e-9);
    }
}
