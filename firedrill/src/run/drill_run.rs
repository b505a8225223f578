//! One drill on a stack that is up: load, settle, break, follow, mend, drain, judge.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use firedrill_drill::{Drill, Expectation, Fault};
use firedrill_loadgen::RunningLoad;
use firedrill_record::{DrillRecord, EvidenceFolder, Redactor, RunEventKind, RunId};
use firedrill_rulebook::{ConfigFolder, FiredrillConfig};
use firedrill_stack::{Deadline, Probe, Stack};
use firedrill_verifier::{EndedBecause, Outlook, Plan, Watch, Witness, judge, outlook, progress};
use jiff::Timestamp;
use rand::{Rng, SeedableRng};
use tokio::time::{Instant, MissedTickBehavior};

use super::breaking::Active;
use super::events::Events;
use super::interrupts::Interrupts;
use super::intervals::Intervals;
use super::looking::LOOK_EVERY;
use super::schedule::Schedule;
use super::settling;
use crate::failure::described;

/// Folder of the evidence inside a drill's folder.
pub(crate) const EVIDENCE: &str = "evidence";

/// Requests in flight are waited for so long.
const DRAIN: Duration = Duration::from_secs(10);
/// And so long once the run is asked to stop.
const DRAIN_WHEN_INTERRUPTED: Duration = Duration::from_secs(1);
/// Once the run is asked to stop, a fault gets so long to be undone before the stack is taken down with it.
const MEND_WHEN_INTERRUPTED: Duration = Duration::from_secs(3);
/// Counters get so long to come to rest.
const PATIENCE: Duration = Duration::from_secs(15);
/// The default limit of a drill lies so many seconds after the last deadline.
const LIMIT_EXTRA: f64 = 120.0;
/// Prometheus's own scrape interval where a configuration says none.
const DEFAULT_SCRAPE: Duration = Duration::from_mins(1);
/// Load that needs nothing to wait for still runs so many seconds, or its rate says nothing.
const SHORTEST_LOAD: f64 = 2.0;

/// Everything one drill needs.
pub(super) struct DrillRun<'a> {
    pub(super) drill: &'a Drill,
    pub(super) number: u32,
    pub(super) stack_number: usize,
    pub(super) seed: u64,
    /// Name and id of a process that the harness runs beside the drill.
    pub(super) beside: Option<(&'static str, u32)>,
    pub(super) run: RunId,
    pub(super) speed: u32,
    pub(super) firedrill: &'a FiredrillConfig,
    pub(super) configuration: &'a ConfigFolder,
    pub(super) left_out: &'a BTreeMap<String, String>,
    pub(super) stack: &'a dyn Stack,
    pub(super) witness: &'a Witness,
    pub(super) folder: PathBuf,
    pub(super) redactor: Redactor,
    pub(super) events: &'a Events,
    pub(super) interrupts: &'a Interrupts,
}

/// How far the wait for a steady stack has come.
struct Settling {
    began: Instant,
    ended: Option<Instant>,
    /// What was told last that it waits for.
    told: String,
}

impl DrillRun<'_> {
    /// Runs the drill and judges it.
    ///
    /// # Errors
    /// A sentence, when the evidence could not be written or the load could not be made: nothing can be judged then.
    pub(super) async fn conduct(self) -> Result<DrillRecord, String> {
        let began = Instant::now();
        self.events.tell(RunEventKind::DrillStarted { drill: self.drill.name.clone() });
        let write = |error: firedrill_record::EvidenceError| format!("failed to {}", described(&error));
        let folder = EvidenceFolder::create(&self.folder, self.redactor.clone()).map_err(write)?;
        let evidence =
            EvidenceFolder::create(&self.folder.join(EVIDENCE), self.redactor.clone()).map_err(write)?;
        let plan = self.plan();
        folder.write_json("plan.json", &plan).map_err(write)?;
        let mut watch = Watch::begin(self.watch_plan()?, evidence)?;
        self.unless_interrupted(self.announce(&watch)).await??;
        let patience = self.patience();
        self.unless_interrupted(watch.before_load(self.witness, patience)).await?.map_err(write)?;

        // Its sessions are made first, which may take seconds.
        let (load, looked) = self.looking_on(&mut watch, None, RunningLoad::start(self.load_plan())).await;
        let load = load.map_err(|error| format!("failed to {}", described(&error)))?;
        let zero = load.zero();
        self.events.set_drill(Some((zero, self.speed)));
        let what: Vec<String> = self.drill.load.iter().map(firedrill_drill::Load::describe).collect();
        self.events.tell(RunEventKind::LoadStarted { what: what.join(", ") });

        let watched = match looked {
            Ok(()) => self.follow(&plan, &mut watch, &load).await,
            unwritten @ Err(_) => unwritten,
        };
        let interrupted = watch.evidence.ended_because == Some(EndedBecause::Interrupted);
        let (mut ledger, looked) = if interrupted {
            (load.drain(DRAIN_WHEN_INTERRUPTED).await, Ok(()))
        } else {
            self.looking_on(&mut watch, None, load.drain(DRAIN)).await
        };
        if plan.faults.is_empty() {
            // Only faults have a before and a during; hours of bins would fill the disk.
            ledger.rows.iter_mut().for_each(|row| row.bins.clear());
        }
        watched.and(looked).map_err(write)?;
        let (requests, unknown) = ledger.direct_totals();
        self.events.tell(RunEventKind::LoadDrained { requests, unknown });
        folder.write_json("ledger.json", &ledger).map_err(write)?;
        watch.evidence.ledger = Some(ledger);
        let whole = watch.evidence.ended_because == Some(EndedBecause::Decided);
        let collected =
            watch.after_drain(self.witness, &plan.expect, if whole { patience } else { LOOK_EVERY });
        if whole {
            self.unless_interrupted(collected).await?.map_err(write)?;
        } else {
            collected.await.map_err(write)?;
        }
        self.tell_proofs(&plan, &watch);
        self.note_lost_parts(&mut watch);
        watch.folder().write_json("evidence.json", &watch.evidence).map_err(write)?;

        let mut record = judge(&plan, &watch.evidence);
        record.seconds = began.elapsed().as_secs_f64();
        for one in &record.expectations {
            self.events.tell(RunEventKind::ExpectationJudged {
                expectation: format!("{} {}", one.kind, one.about),
                verdict: one.verdict,
                reason: one.reason,
                sentence: one.sentence.clone(),
            });
        }
        self.events.tell(RunEventKind::DrillEnded {
            drill: self.drill.name.clone(),
            verdict: record.verdict,
            passed: record.passed,
        });
        self.events.set_drill(None);
        Ok(record)
    }

    /// `phase`, or an error once the run is asked to stop.
    async fn unless_interrupted<T>(&self, phase: impl Future<Output = T>) -> Result<T, String> {
        tokio::select! {
            done = phase => Ok(done),
            () = self.interrupts.wait() => {
                self.events.tell(RunEventKind::InterruptReceived);
                Err("the run was interrupted".to_owned())
            }
        }
    }

    /// How long counters get to come to rest: three scrapes of the slowest job, and at least some seconds.
    fn patience(&self) -> Duration {
        PATIENCE + 3 * self.slowest_scrape()
    }

    /// The longest scrape interval of any job.
    pub(super) fn slowest_scrape(&self) -> Duration {
        let prometheus = self.configuration.prometheus().ok();
        let slowest = prometheus.and_then(|it| it.jobs.iter().map(|job| job.scrape_interval).max());
        slowest.unwrap_or(DEFAULT_SCRAPE)
    }

    /// Notes the parts of the stack that ended by now; whether there are any.
    fn note_lost_parts(&self, watch: &mut Watch) -> bool {
        let lost = self.stack.lost();
        if lost.is_empty() {
            return false;
        }
        watch.evidence.lost_parts = lost.iter().map(|one| format!("{} ({})", one.part, one.how)).collect();
        if watch.evidence.ended_because.is_none_or(|why| why == EndedBecause::Decided) {
            let detail = watch.evidence.lost_parts.join(", ");
            Self::end(watch, EndedBecause::StackLost, &detail);
        }
        true
    }

    /// Sets the drill's number and waits until Prometheus has it: alerts of this drill carry it.
    async fn announce(&self, watch: &Watch) -> Result<(), String> {
        self.witness.set_drill(self.number);
        self.witness.set_gauges(self.drill.faults().filter_map(Fault::planted_gauge));
        let query = format!("max(firedrill_run) == {}", self.number);
        let scraped = || async {
            match watch.prometheus().query(&query, None).await {
                Ok(reply) => match reply.parsed {
                    firedrill_monitoring_api::prometheus::QueryValue::Vector(samples)
                        if !samples.is_empty() =>
                    {
                        Probe::Ready(())
                    }
                    other => Probe::NotYet(format!("a {} without it", other.type_name())),
                },
                Err(error) => Probe::NotYet(described(&error)),
            }
        };
        Deadline::after(Duration::from_secs(20))
            .until("Prometheus has the drill's number", scraped)
            .await
            .map_err(|error| format!("failed to {}", described(&error)))
    }

    /// Looks, breaks and mends until everything is decided, or the run has to end.
    async fn follow(
        &self,
        plan: &Plan,
        watch: &mut Watch,
        load: &RunningLoad,
    ) -> Result<(), firedrill_record::EvidenceError> {
        let mut active: Vec<Active> = Vec::new();
        let mut followed = self.follow_to_the_end(plan, watch, load, &mut active).await;
        let interrupted = watch.evidence.ended_because == Some(EndedBecause::Interrupted);
        // Whatever happened: no fault outlives its drill.
        for one in active {
            let mended = self.mend(&one);
            let mended = if interrupted {
                // The stack goes now: a part that takes longer to come back is ended with it.
                tokio::time::timeout(MEND_WHEN_INTERRUPTED, mended).await.unwrap_or_default()
            } else {
                let (mended, looked) = self.looking_on(watch, None, mended).await;
                followed = followed.and(looked);
                mended
            };
            Self::note_mended(watch, &one, mended);
        }
        followed
    }

    async fn follow_to_the_end(
        &self,
        plan: &Plan,
        watch: &mut Watch,
        load: &RunningLoad,
        active: &mut Vec<Active>,
    ) -> Result<(), firedrill_record::EvidenceError> {
        let began = Instant::now();
        let intervals = Intervals::of(plan, watch);
        watch.set_scrape(intervals.scrape);
        let mut random = rand::rngs::StdRng::seed_from_u64(self.seed ^ u64::from(self.number));
        // Scrape and evaluation phases are fixed: only a random instant sees all of them.
        let jitter = move || random.random_range(0.0..intervals.scrape + intervals.evaluation);
        let mut schedule = Schedule::new(jitter);
        let mut settling = Settling { began, ended: None, told: String::new() };
        let mut told = BTreeMap::new();
        let mut looks = 0_u32;
        let spoilt = self.services_with_bad_metrics(plan);
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.interrupts.wait() => {
                    self.end_interrupted(watch);
                    return Ok(());
                }
            }
            self.act(plan, watch, load, active, &mut schedule).await?;
            if self.interrupts.asked() {
                self.end_interrupted(watch);
                return Ok(());
            }
            watch.look(self.witness).await?;
            watch.look_at_processes(&self.processes());
            watch.look_at_metrics(&spoilt).await;
            watch.evidence.ledger = Some(load.snapshot());
            looks += 1;
            self.tell_progress(plan, watch, load, looks, &mut told);
            if self.note_lost_parts(watch) {
                return Ok(());
            }

            if let Some(broken) = load.failure() {
                Self::end(watch, EndedBecause::LoadLost, &described(&broken));
                return Ok(());
            }

            let elapsed = Timestamp::now().duration_since(load.zero()).as_secs_f64();
            let outlook_now = outlook(plan, &watch.evidence);
            // What no fault can cause any more, or was decided without one, needs none.
            let condemned = watch.evidence.faults.is_empty() && Self::alerts_decided(plan, &outlook_now);
            schedule.forget();
            if !condemned && let Some((at, fault)) = plan.faults.get(watch.evidence.faults.len()) {
                match self.settled(plan, watch, load, &intervals, &mut settling) {
                    Err(why) if elapsed > intervals.settling() => {
                        Self::end(watch, EndedBecause::NotSettled, &format!("waited for {why}"));
                        return Ok(());
                    }
                    // A fault that still sits in the part ends first, unless the kill is to end it.
                    Ok(_) if Self::is_occupied(fault, active) => {}
                    Ok(since) => {
                        schedule.next(plan.wall_seconds(*at), elapsed, since);
                    }
                    Err(_) => {}
                }
            }
            if self.is_over(plan, watch, active, elapsed, &intervals, &outlook_now) {
                return Ok(());
            }
        }
    }

    /// Seconds since the stack became steady, or what it waits for. Only the first fault waits: later ones find the
    /// alerts of earlier ones.
    fn settled(
        &self,
        plan: &Plan,
        watch: &mut Watch,
        load: &RunningLoad,
        intervals: &Intervals,
        settling: &mut Settling,
    ) -> Result<f64, String> {
        if let Some(ended) = settling.ended {
            return Ok(ended.elapsed().as_secs_f64());
        }
        let slowest = intervals.scrape.max(intervals.evaluation);
        if let Some(why) =
            settling::waiting_for(plan, &watch.evidence, load.zero(), intervals.history, slowest)
        {
            if why != settling.told {
                self.events.tell(RunEventKind::Settling { waiting_for: why.clone() });
                settling.told.clone_from(&why);
            }
            return Err(why);
        }
        let after_ms = u64::try_from(settling.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.events.tell(RunEventKind::Settled { after_ms });
        settling.ended = Some(Instant::now());
        watch.evidence.settled = Some(Timestamp::now());
        Ok(0.0)
    }

    /// Whether `fault` has to wait for another one on the same part.
    fn is_occupied(fault: &Fault, active: &[Active]) -> bool {
        !matches!(fault, Fault::Kill { .. })
            && active.iter().any(|one| one.injected.fault.part() == fault.part())
    }

    /// Whether alerts are expected and each of them is decided.
    fn alerts_decided(plan: &Plan, outlook: &Outlook) -> bool {
        *outlook == Outlook::Decided && plan.expect.iter().any(|one| matches!(one, Expectation::Alert(_)))
    }

    /// Whether the drill is over; says why in the evidence.
    fn is_over(
        &self,
        plan: &Plan,
        watch: &mut Watch,
        active: &[Active],
        elapsed: f64,
        intervals: &Intervals,
        outlook: &Outlook,
    ) -> bool {
        let lasts =
            self.drill.lasts.map_or(SHORTEST_LOAD, |lasts| plan.wall_seconds(lasts).max(SHORTEST_LOAD));
        let limit = self
            .drill
            .limit
            .map_or_else(|| intervals.whole(plan).max(lasts) + LIMIT_EXTRA, |limit| plan.wall_seconds(limit));
        if elapsed > limit {
            Self::end(watch, EndedBecause::Limit, &format!("{elapsed:.1}s of {limit:.1}s"));
            return true;
        }
        let decided = Self::alerts_decided(plan, outlook);
        let injected = watch.evidence.faults.len();
        // Decided before any fault, or all faults were there, have ended, and nothing about them is open any more.
        let over = (decided && injected == 0)
            || (injected == plan.faults.len()
                && *outlook == Outlook::Decided
                && active.is_empty()
                && Self::nothing_can_follow(plan, watch, intervals));
        if elapsed >= lasts && over {
            Self::end(watch, EndedBecause::Decided, "");
            return true;
        }
        false
    }

    /// Whether what the last fault left in the windows of the rules can raise no alert any more; where `quiet` is not
    /// expected nobody asks.
    fn nothing_can_follow(plan: &Plan, watch: &Watch, intervals: &Intervals) -> bool {
        let asked = plan.expect.iter().any(|one| matches!(one, Expectation::Quiet(_)));
        let last = watch.evidence.faults.iter().filter_map(|fault| fault.undone).max();
        let Some(last) = last.filter(|_| asked) else { return true };
        Timestamp::now().duration_since(last).as_secs_f64() > intervals.aftermath()
    }

    fn end_interrupted(&self, watch: &mut Watch) {
        self.events.tell(RunEventKind::InterruptReceived);
        Self::end(watch, EndedBecause::Interrupted, "a signal asked the run to stop");
    }

    fn end(watch: &mut Watch, because: EndedBecause, detail: &str) {
        watch.evidence.ended_because = Some(because);
        detail.clone_into(&mut watch.evidence.ended_detail);
    }

    fn tell_progress(
        &self,
        plan: &Plan,
        watch: &Watch,
        load: &RunningLoad,
        looks: u32,
        told: &mut BTreeMap<String, usize>,
    ) {
        if looks.is_multiple_of(5) {
            let now = load.progress();
            self.events.tell(RunEventKind::LoadProgressed {
                requests: now.requests,
                unknown: now.unknown,
                messages: now.messages,
            });
        }
        for (alert, points) in progress(plan, &watch.evidence) {
            let states: Vec<_> = points.into_iter().filter(|point| point.source != "harness").collect();
            let known = told.entry(alert.clone()).or_default();
            for point in states.iter().skip(*known) {
                self.events
                    .tell(RunEventKind::AlertProgressed { alert: alert.clone(), state: point.what.clone() });
            }
            *known = states.len().max(*known);
        }
    }
}
