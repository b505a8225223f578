//! The evidence that every comparison needs, and what the counters in it gained.

use std::collections::{BTreeMap, BTreeSet};

use firedrill_drill::Fault;
use firedrill_record::{Ledger, LedgerRow, Reason, Route, ServiceName};

use super::interrupted::{self, Lives};
use crate::counters::{self, Expected, Unledgered};
use crate::evidence::{CounterSnapshot, Evidence, Notification, Series};
use crate::plan::Plan;

/// A disagreement: its reason and its sentence.
pub(super) type Problem = (Reason, String);

/// The evidence that every comparison needs.
pub(super) struct Gathered<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) before: &'a CounterSnapshot,
    pub(super) after: &'a CounterSnapshot,
    /// Services that were killed.
    pub(super) lives: BTreeMap<ServiceName, Lives<'a>>,
    /// Whether any part was killed, a service or what services need.
    pub(super) any_kill: bool,
    unledgered: Unledgered<'a>,
}

impl<'a> Gathered<'a> {
    pub(super) fn from(plan: &'a Plan, evidence: &'a Evidence) -> Result<Self, Problem> {
        let missing =
            |what: &str, why: &str| (Reason::QueryFailed, format!("{what} could not be read: {why}"));
        let ledger = evidence
            .ledger
            .as_ref()
            .ok_or_else(|| (Reason::EvidenceMissing, "there is no ledger of the load".to_owned()))?;
        let before =
            evidence.counters_before.as_ref().map_err(|why| missing("the counters before the load", why))?;
        let after =
            evidence.counters_after.as_ref().map_err(|why| missing("the counters after the drain", why))?;
        let resets = evidence.resets.as_ref().map_err(|why| missing("counter resets", why))?;
        let failed = *evidence
            .failed_notifications
            .as_ref()
            .map_err(|why| missing("Alertmanager's failed notifications", why))?;
        for (snapshot, when) in [(before, "before the load"), (after, "after the drain")] {
            if !snapshot.settled {
                return Err((
                    Reason::CountersNotSettled,
                    format!("the counters were still moving {when}: {}", snapshot.moving.join(", ")),
                ));
            }
        }
        let kills = interrupted::kills(plan, evidence);
        for (service, count) in resets {
            let killed =
                kills.iter().find(|(name, _)| name.as_str() == service).map_or(0, |(_, kills)| *kills);
            if *count > f64::from(killed) {
                let killed = if killed == 0 { String::new() } else { format!(", killed {killed} times") };
                return Err((
                    Reason::CounterReset,
                    format!("counters of {service} were reset {count} times{killed}"),
                ));
            }
        }
        let lives = Lives::all(plan, evidence, after).map_err(|why| (Reason::EvidenceMissing, why))?;
        let to_the_service = |heard: &&Notification| {
            plan.webhooks.get(&heard.receiver).is_some_and(|webhooks| webhooks.contains(&heard.webhook))
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
        let failed_webhooks = failed.max(0.0) as u64;
        let unledgered = Unledgered {
            notification_service: &plan.notification_service,
            webhooks: evidence.witness.iter().filter(to_the_service).count() as u64,
            failed_webhooks,
            polls: &evidence.notification_polls,
        };
        let any_kill = plan.faults.iter().any(|(_, fault)| matches!(fault, Fault::Kill { .. }));
        Ok(Self { ledger, before, after, lives, any_kill, unledgered })
    }

    /// Services that received load and are not scraped.
    pub(super) fn unscraped(&self, plan: &Plan, evidence: &Evidence) -> Vec<Problem> {
        let up = match &evidence.services_up {
            Ok(up) => up,
            Err(error) => return vec![(Reason::QueryFailed, format!("`up` could not be read: {error}"))],
        };
        let loaded: BTreeSet<_> = self.ledger.rows.iter().map(|row| &row.route.service).collect();
        loaded
            .into_iter()
            .filter(|service| plan.services.contains(service) && !up.contains(service))
            .map(|service| {
                (Reason::TargetAbsent, format!("{service} received load, and Prometheus does not scrape it"))
            })
            .collect()
    }

    /// What each counter named `metric` gained, over all lives of its service.
    pub(super) fn gains(&self, metric: &str) -> Result<Vec<(&'a Series, u64)>, Problem> {
        let reset = |why| (Reason::CounterReset, why);
        let mut all = Vec::new();
        for series in self.after.series.iter().filter(|one| one.label("__name__") == metric) {
            if !self.was_killed(series.label("service")) {
                let gained = counters::gained(series, self.before).map_err(reset)?;
                all.extend(gained.map(|gained| (series, gained)));
            }
        }
        for lives in self.lives.values() {
            all.extend(lives.gains(metric, self.before).map_err(reset)?);
        }
        Ok(all)
    }

    /// What each counter or bucket named `metric` gained in the last life of its service.
    pub(super) fn gains_since_last_start(&self, metric: &str) -> Result<Vec<(&'a Series, u64)>, Problem> {
        let mut all = Vec::new();
        for series in self.after.series.iter().filter(|one| one.label("__name__") == metric) {
            let gained = if self.was_killed(series.label("service")) {
                let last = series.samples.last();
                last.map(|last| counters::difference(series, 0.0, last.value)).transpose()
            } else {
                counters::gained(series, self.before)
            };
            let gained = gained.map_err(|why| (Reason::CounterReset, why))?;
            all.extend(gained.map(|gained| (series, gained)));
        }
        Ok(all)
    }

    pub(super) fn was_killed(&self, service: &str) -> bool {
        self.lives.keys().any(|name| name.as_str() == service)
    }

    /// What the counters must show of the ledger's rows that `counts`, and of the calls that are in none.
    pub(super) fn expected(&self, counts: impl Fn(&LedgerRow) -> bool) -> BTreeMap<Route, Expected> {
        counters::expected(self.ledger, counts, self.unledgered)
    }
}

pub(super) fn name(route: &Route) -> String {
    format!("{} {} {}", route.service, route.method, route.route)
}
