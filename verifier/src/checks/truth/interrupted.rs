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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use firedrill_drill::TruthExpectation;
    use firedrill_record::{ExpectationRecord, Reason, Verdict};

    use super::*;
    use crate::checks::fixtures;
    use crate::checks::truth::judge;

    const LABELS: [(&str, &str); 4] =
        [("service", "user"), ("method", "GET"), ("route", "/users/{id}"), ("status", "200")];

    /// One request in each 10 ms but while the user service was away, from 10 s to 18 s: 1,000 before and 1,200 after.
    /// The last scrape before the kill was at 9.5 s, when it had counted 950.
    fn evidence(before_kill: f64, after_restart: f64) -> Evidence {
        let mut evidence = fixtures::alert_evidence();
        evidence.witness.clear();
        let row = &mut evidence.ledger.as_mut().unwrap().rows[0];
        row.bins.retain(|bin| !(1_000..1_800).contains(&bin.index));
        row.bins.iter_mut().for_each(|bin| bin.status = 200);
        row.closed = BTreeMap::from([(200, 2_200)]);
        row.unknown = 3;
        let mut samples = fixtures::series("http_requests_total", &LABELS, 0.0);
        let sample = |at_ms, value| Sample { at_ms, value };
        samples.samples = vec![
            sample(0, 0.0),
            sample(9_500, before_kill),
            sample(19_000, after_restart.min(50.0)),
            sample(30_000, after_restart),
        ];
        let mut after = samples.clone();
        after.samples = vec![sample(29_750, after_restart), sample(30_000, after_restart)];
        evidence.restarted = Ok(vec![samples]);
        evidence.counters_after.as_mut().unwrap().series = vec![after];
        evidence.resets.as_mut().unwrap().insert("user".into(), 1.0);
        evidence
    }

    fn killed_plan() -> Plan {
        let mut plan = fixtures::plan();
        plan.faults[0].1 = Fault::Kill { part: "user".into(), lasts: Duration::from_mins(8) };
        plan
    }

    fn judged(evidence: &Evidence) -> ExpectationRecord {
        judge(&killed_plan(), TruthExpectation { counters: true, histograms: false }, evidence)
    }

    #[test]
    fn what_died_with_the_service_is_an_interval_and_the_sentence_says_how_wide() {
        let record = judged(&evidence(950.0, 1_200.0));
        assert_eq!(record.verdict, Verdict::Held, "{record:#?}");
        // 948 were answered 20 ms before the last scrape, 1,200 after the restart; 2,200 and 3 can have been.
        let said = "user was killed: between 2148 and 2203 requests, 55 wide, Prometheus has 2150";
        assert!(record.sentence.contains(said), "{}", record.sentence);
    }

    #[test]
    fn fewer_than_were_acknowledged_or_more_than_were_sent_violate() {
        assert_eq!(judged(&evidence(940.0, 1_200.0)).reason, Some(Reason::CounterShort));
        assert_eq!(judged(&evidence(950.0, 1_190.0)).reason, Some(Reason::CounterShort));
        assert_eq!(judged(&evidence(1_004.0, 1_200.0)).reason, Some(Reason::CounterOver));
    }

    #[test]
    fn more_resets_than_kills_violate() {
        let mut twice = evidence(950.0, 1_200.0);
        twice.resets.as_mut().unwrap().insert("user".into(), 2.0);
        assert_eq!(judged(&twice).reason, Some(Reason::CounterReset));
        let mut within_a_life = evidence(950.0, 1_200.0);
        within_a_life.restarted.as_mut().unwrap()[0].samples[2].value = 1_300.0;
        assert_eq!(judged(&within_a_life).reason, Some(Reason::CounterReset));
        // Somebody else's kill explains nothing.
        let record = judge(
            &fixtures::plan(),
            TruthExpectation { counters: true, histograms: false },
            &evidence(950.0, 1_200.0),
        );
        assert_eq!(record.reason, Some(Reason::CounterReset));
    }

    #[test]
    fn a_killed_service_whose_samples_are_missing_is_inconclusive() {
        for samples in [Err("timed out".to_owned()), Ok(Vec::new())] {
            let mut missing = evidence(950.0, 1_200.0);
            missing.restarted = samples;
            assert_eq!(judged(&missing).reason, Some(Reason::EvidenceMissing));
        }
    }
}
