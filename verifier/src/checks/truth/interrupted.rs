//! The counters of a service that was killed: what it counted after its last scrape died with it.
//!
//! A *life* is what lies between two kills. The gain of a counter is the sum over its lives, each up to its last scrape;
//! the first counts from the snapshot before the load, the others from 0. Nothing here knows what was expected.

use std::collections::{BTreeMap, BTreeSet};

use firedrill_drill::Fault;
use firedrill_record::{LedgerRow, ServiceName};
use jiff::{SignedDuration, Timestamp};

use crate::counters;
use crate::evidence::{CounterSnapshot, Evidence, Sample, Series};
use crate::life_cycle::instant;
use crate::plan::Plan;

/// A scrape's timestamp may lie so far from the instant at which the service wrote its counters: Prometheus moves it by
/// up to 2 ms, and the ledger's clock is another process's.
const SCRAPE_CLOCK: SignedDuration = SignedDuration::from_millis(20);

/// One kill of a service.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Kill {
    /// By now it was dead: what began later and was answered was answered by the next life.
    dead: Timestamp,
    /// Not before this was it started again.
    again: Timestamp,
}

/// The lives of one killed service.
#[derive(Debug)]
pub(super) struct Lives<'a> {
    kills: Vec<Kill>,
    /// Its counters' samples over the whole drill.
    series: Vec<&'a Series>,
    /// The last sample that counts.
    until_ms: i64,
    /// The last scrape of each life; none for a life that Prometheus never saw.
    scrapes: Vec<Option<i64>>,
}

/// How often each service was killed, by the plan and what came of it.
pub(super) fn kills(plan: &Plan, evidence: &Evidence) -> BTreeMap<ServiceName, u32> {
    let mut all = BTreeMap::new();
    for (service, _) in each_kill(plan, evidence) {
        *all.entry(service).or_default() += 1;
    }
    all
}

fn each_kill(plan: &Plan, evidence: &Evidence) -> impl Iterator<Item = (ServiceName, Kill)> {
    plan.faults.iter().zip(&evidence.faults).filter_map(|((_, fault), record)| {
        let Fault::Kill { part, .. } = fault else { return None };
        let service = plan.services.iter().find(|service| service.as_str() == part)?;
        let dead = record.injected?;
        Some((service.clone(), Kill { dead, again: record.undo_asked.unwrap_or(Timestamp::MAX) }))
    })
}

impl<'a> Lives<'a> {
    /// The lives of each killed service, up to the snapshot `after` the load.
    ///
    /// # Errors
    /// Why they are not known, in a sentence.
    pub(super) fn all(
        plan: &Plan,
        evidence: &'a Evidence,
        after: &CounterSnapshot,
    ) -> Result<BTreeMap<ServiceName, Self>, String> {
        let mut kills: BTreeMap<ServiceName, Vec<Kill>> = BTreeMap::new();
        for (service, kill) in each_kill(plan, evidence) {
            kills.entry(service).or_default().push(kill);
        }
        if kills.is_empty() {
            return Ok(BTreeMap::new());
        }
        let samples =
            evidence.restarted.as_ref().map_err(|why| format!("the samples of killed services: {why}"))?;
        let last = |one: &Series| one.samples.last().map(|sample| sample.at_ms);
        let until_ms = after.series.iter().filter_map(last).max().unwrap_or(i64::MIN);
        kills
            .into_iter()
            .map(|(service, mut kills)| {
                kills.sort_by_key(|kill| kill.dead);
                let series: Vec<&Series> =
                    samples.iter().filter(|one| one.label("service") == service.as_str()).collect();
                if series.is_empty() {
                    return Err(format!("{service} was killed, and Prometheus saw one process of it only"));
                }
                let mut lives = Self { scrapes: vec![None; kills.len() + 1], kills, series, until_ms };
                let times: BTreeSet<i64> = lives.samples().map(|sample| sample.at_ms).collect();
                for at_ms in times {
                    let life = lives.life_of(at_ms);
                    lives.scrapes[life] = Some(at_ms);
                }
                Ok((service, lives))
            })
            .collect()
    }

    fn samples(&self) -> impl Iterator<Item = &'a Sample> + '_ {
        let until_ms = self.until_ms;
        self.series.iter().flat_map(|one| &one.samples).filter(move |sample| sample.at_ms <= until_ms)
    }

    /// Which life a sample belongs to: there are none between a kill and the start after it.
    fn life_of(&self, at_ms: i64) -> usize {
        self.kills.iter().filter(|kill| kill.again.as_millisecond() <= at_ms).count()
    }

    /// What each counter named `metric` gained over all lives.
    ///
    /// # Errors
    /// A sentence, when a counter went back within a life.
    pub(super) fn gains(
        &self,
        metric: &str,
        before: &CounterSnapshot,
    ) -> Result<Vec<(&'a Series, u64)>, String> {
        let named = self.series.iter().filter(|one| one.label("__name__") == metric);
        named.map(|one| Ok((*one, self.gained(one, before)?))).collect()
    }

    fn gained(&self, series: &Series, before: &CounterSnapshot) -> Result<u64, String> {
        let mut reached = vec![None; self.scrapes.len()];
        let was = counters::value_at(series, before);
        // Samples before the snapshot are of earlier drills.
        let from = before.after.as_millisecond();
        for sample in series.samples.iter().filter(|it| (from..=self.until_ms).contains(&it.at_ms)) {
            let life = self.life_of(sample.at_ms);
            if let Some(earlier) = reached[life] {
                counters::difference(series, earlier, sample.value)?;
            }
            reached[life] = Some(sample.value);
        }
        let mut gained = 0;
        for (life, value) in reached.into_iter().enumerate() {
            let from = if life == 0 { was } else { 0.0 };
            gained += value.map_or(Ok(0), |value| counters::difference(series, from, value))?;
        }
        Ok(gained)
    }

    /// Requests of `row` that Prometheus must have, by status: answered before the last scrape of the life in which
    /// they were sent.
    pub(super) fn acknowledged(&self, row: &LedgerRow, zero: Timestamp, bin_ms: u32) -> BTreeMap<u16, u64> {
        let mut all = BTreeMap::new();
        let ms = |index: u32| i64::from(index) * i64::from(bin_ms);
        for bin in &row.bins {
            let ended = zero + SignedDuration::from_millis(ms(bin.index) + i64::from(bin_ms));
            let sent = zero + SignedDuration::from_millis(ms(bin.index))
                - SignedDuration::from_micros(i64::from(bin.longest_us));
            let counted = self.scrapes.iter().enumerate().any(|(life, scrape)| {
                let began = life == 0 || sent >= self.kills[life - 1].dead;
                // The last life was read at rest.
                let last = life + 1 == self.scrapes.len();
                let read = scrape.is_some_and(|at| last || ended + SCRAPE_CLOCK <= instant(at));
                began && read
            });
            if counted {
                *all.entry(bin.status).or_default() += u64::from(bin.count);
            }
        }
        all
    }
}
