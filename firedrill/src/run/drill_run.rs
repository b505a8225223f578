//! One drill on a stack that is up: load, settle, break, follow, mend, drain, judge.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use firedrill_drill::{Action, Drill, Expectation, Fault};
use firedrill_loadgen::{LoadPlan, RunningLoad};
use firedrill_record::{
    DrillRecord, EvidenceFolder, FaultRecord, Redactor, RunEventKind, RunId, ServiceName,
};
use firedrill_rulebook::{FiredrillConfig, PrometheusConfig};
use firedrill_stack::{Deadline, InjectedFault, Probe, Stack};
use firedrill_verifier::{
    EndedBecause, Outlook, Plan, Watch, WatchPlan, Witness, judge, longest_history_of_all, of_effect,
    outlook, progress,
};
use jiff::Timestamp;
use rand::{Rng, SeedableRng};
use tokio::time::{Instant, MissedTickBehavior};
use url::Url;

use super::events::Events;
use super::interrupts::Interrupts;
use super::settling;
use crate::failure::described;

/// Folder of the evidence inside a drill's folder.
pub(crate) const EVIDENCE: &str = "evidence";

/// Service that receives Alertmanager's webhooks and stores them.
const NOTIFICATION_SERVICE: &str = "notification";
/// Service that carries chat loads.
const CHAT_SERVICE: &str = "chat";
/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Requests in flight are waited for so long.
const DRAIN: Duration = Duration::from_secs(10);
/// Counters get so long to come to rest.
const PATIENCE: Duration = Duration::from_secs(15);
/// Beyond the history that load has to fill, settling may take so many seconds.
const SETTLE_EXTRA: f64 = 30.0;
/// A fault ends by itself so long after the run should have ended it.
const LEASE_MARGIN: Duration = Duration::from_secs(5);
/// The default limit of a drill lies so many seconds after the last deadline.
const LIMIT_EXTRA: f64 = 120.0;
/// Load that needs nothing to wait for still runs so many seconds, or its rate says nothing.
const SHORTEST_LOAD: f64 = 2.0;

/// Everything one drill needs.
pub(super) struct DrillRun<'a> {
    pub(super) drill: &'a Drill,
    pub(super) number: u32,
    pub(super) stack_number: usize,
    pub(super) seed: u64,
    pub(super) run: RunId,
    pub(super) speed: u32,
    pub(super) firedrill: &'a FiredrillConfig,
    pub(super) left_out: &'a BTreeMap<String, String>,
    pub(super) stack: &'a dyn Stack,
    pub(super) witness: &'a Witness,
    pub(super) folder: PathBuf,
    pub(super) redactor: Redactor,
    pub(super) events: &'a Events,
    pub(super) interrupts: &'a Interrupts,
}

/// A fault that was injected and its place in the plan.
struct Active {
    index: usize,
    injected: InjectedFault,
    since: Instant,
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
        self.announce(&watch).await?;
        watch.before_load(self.witness, PATIENCE).await.map_err(write)?;

        let load = RunningLoad::start(self.load_plan())
            .await
            .map_err(|error| format!("failed to {}", described(&error)))?;
        let zero = load.zero();
        self.events.set_drill(Some((zero, self.speed)));
        let what: Vec<String> = self.drill.load.iter().map(firedrill_drill::Load::describe).collect();
        self.events.tell(RunEventKind::LoadStarted { what: what.join(", ") });

        let watched = self.follow(&plan, &mut watch, &load).await;
        let interrupted = watch.evidence.ended_because == Some(EndedBecause::Interrupted);
        let ledger = load.drain(if interrupted { Duration::from_secs(1) } else { DRAIN }).await;
        watched.map_err(write)?;
        let (requests, unknown) = ledger.direct_totals();
        self.events.tell(RunEventKind::LoadDrained { requests, unknown });
        folder.write_json("ledger.json", &ledger).map_err(write)?;
        watch.evidence.ledger = Some(ledger);
        let patience =
            if watch.evidence.ended_because == Some(EndedBecause::Decided) { PATIENCE } else { LOOK_EVERY };
        watch.after_drain(self.witness, &plan.expect, patience).await.map_err(write)?;
        self.tell_proofs(&plan, &watch);

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

    fn plan(&self) -> Plan {
        Plan {
            drill: self.drill.name.clone(),
            about: self.drill.about.clone(),
            file: self.drill.file.display().to_string(),
            number: self.number,
            speed: self.speed,
            seed: self.seed,
            faults: self
                .drill
                .timeline
                .iter()
                .map(|timed| {
                    let Action::Inject(fault) = &timed.action;
                    (timed.at, fault.clone())
                })
                .collect(),
            expect: self.drill.expect.clone(),
            must_be: self.drill.must_be,
            always_firing: self.firedrill.always_firing.iter().cloned().collect(),
            left_out: self.left_out.iter().map(|(rule, why)| (rule.clone(), why.clone())).collect(),
            services: self.stack.addresses().services.keys().cloned().collect(),
            notification_service: service(NOTIFICATION_SERVICE),
        }
    }

    fn watch_plan(&self) -> Result<WatchPlan, String> {
        let addresses = self.stack.addresses();
        let url = |address: &std::net::SocketAddr| {
            Url::parse(&format!("http://{address}/"))
                .map_err(|error| format!("failed to use {address}: {error}"))
        };
        let notification = addresses
            .services
            .get(&service(NOTIFICATION_SERVICE))
            .ok_or("the stack has no notification service")?;
        Ok(WatchPlan {
            prometheus: url(&addresses.prometheus)?,
            alertmanager: url(&addresses.alertmanager)?,
            notifications: url(notification)?,
            // Until the running configuration was read; then its own interval counts.
            scrape: 0.25,
        })
    }

    fn load_plan(&self) -> LoadPlan {
        LoadPlan {
            loads: self.drill.load.clone(),
            targets: self.stack.addresses().services.clone(),
            chat_service: service(CHAT_SERVICE),
            seed: self.seed ^ u64::from(self.number),
            unique_prefix: format!("{}-{}-{}", self.run, self.stack_number, self.number),
        }
    }

    /// Sets the drill's number and waits until Prometheus has it: alerts of this drill carry it.
    async fn announce(&self, watch: &Watch) -> Result<(), String> {
        self.witness.set_drill(self.number);
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
        let followed = self.follow_to_the_end(plan, watch, load, &mut active).await;
        // Whatever happened: no fault outlives its drill.
        for one in active {
            self.mend(watch, &one).await;
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
        let mut jitter = move || random.random_range(0.0..intervals.scrape + intervals.evaluation);
        let mut settled_at: Option<Instant> = None;
        let mut settled_because = String::new();
        let mut hold = jitter();
        let mut told = BTreeMap::new();
        let mut looks = 0_u32;
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.interrupts.wait() => {
                    self.events.tell(RunEventKind::InterruptReceived);
                    Self::end(watch, EndedBecause::Interrupted, "a signal asked the run to stop");
                    return Ok(());
                }
            }
            watch.look(self.witness).await?;
            watch.evidence.ledger = Some(load.snapshot());
            looks += 1;
            self.tell_progress(plan, watch, load, looks, &mut told);
            let lost = self.stack.lost();
            if !lost.is_empty() {
                watch.evidence.lost_parts =
                    lost.iter().map(|one| format!("{} ({})", one.part, one.how)).collect();
                let detail = watch.evidence.lost_parts.join(", ");
                Self::end(watch, EndedBecause::StackLost, &detail);
                return Ok(());
            }

            if let Some(broken) = load.failure() {
                Self::end(watch, EndedBecause::LoadLost, &described(&broken));
                return Ok(());
            }

            // Mend what has lasted long enough.
            let (over, still): (Vec<Active>, Vec<Active>) =
                std::mem::take(active).into_iter().partition(|one| {
                    one.since.elapsed().as_secs_f64() >= plan.wall_seconds(one.injected.fault.lasts())
                });
            *active = still;
            for one in over {
                self.mend(watch, &one).await;
            }

            let now = load.zero();
            let elapsed = Timestamp::now().duration_since(now).as_secs_f64();
            let outlook_now = outlook(plan, &watch.evidence);
            let undecided = outlook_now != Outlook::Decided;
            let next = watch.evidence.faults.len();
            if undecided && let Some((at, fault)) = plan.faults.get(next) {
                match settling::waiting_for(
                    plan,
                    &watch.evidence,
                    load.zero(),
                    intervals.history,
                    intervals.scrape.max(intervals.evaluation),
                ) {
                    // Only the first fault waits: later ones find the alerts of earlier ones.
                    Some(why) if next == 0 && settled_at.is_none() => {
                        if why != settled_because {
                            self.events.tell(RunEventKind::Settling { waiting_for: why.clone() });
                        }
                        if elapsed > intervals.history + SETTLE_EXTRA {
                            Self::end(watch, EndedBecause::NotSettled, &format!("waited for {why}"));
                            return Ok(());
                        }
                        settled_because = why;
                    }
                    Some(_) | None => {
                        let settled = *settled_at.get_or_insert_with(|| {
                            let after_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                            self.events.tell(RunEventKind::Settled { after_ms });
                            Instant::now()
                        });
                        if elapsed >= plan.wall_seconds(*at) && settled.elapsed().as_secs_f64() >= hold {
                            self.strike(plan, watch, load, next, fault, active).await;
                            hold = jitter();
                        }
                    }
                }
            }
            if self.is_over(plan, watch, active, elapsed, &intervals, &outlook_now) {
                return Ok(());
            }
        }
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
        let limit = self
            .drill
            .limit
            .map_or_else(|| intervals.whole(plan) + LIMIT_EXTRA, |limit| plan.wall_seconds(limit));
        if elapsed > limit {
            Self::end(watch, EndedBecause::Limit, &format!("{elapsed:.1}s of {limit:.1}s"));
            return true;
        }
        let lasts =
            self.drill.lasts.map_or(SHORTEST_LOAD, |lasts| plan.wall_seconds(lasts).max(SHORTEST_LOAD));
        if elapsed < lasts {
            return false;
        }
        let has_alerts = plan.expect.iter().any(|one| matches!(one, Expectation::Alert(_)));
        // Faults that nobody expects an alert of still have to be injected and to end.
        let all_faults_over = watch.evidence.faults.len() == plan.faults.len() && active.is_empty();
        let decided = if has_alerts { *outlook == Outlook::Decided } else { all_faults_over };
        let gone =
            if has_alerts && watch.evidence.faults.is_empty() { true } else { active.is_empty() || decided };
        if decided && gone {
            Self::end(watch, EndedBecause::Decided, "");
            return true;
        }
        false
    }

    fn end(watch: &mut Watch, because: EndedBecause, detail: &str) {
        watch.evidence.ended_because = Some(because);
        detail.clone_into(&mut watch.evidence.ended_detail);
    }

    async fn strike(
        &self,
        plan: &Plan,
        watch: &mut Watch,
        load: &RunningLoad,
        index: usize,
        fault: &Fault,
        active: &mut Vec<Active>,
    ) {
        let lease = Duration::from_secs_f64(plan.wall_seconds(fault.lasts())) + LEASE_MARGIN;
        self.events.tell(RunEventKind::FaultStarting { fault: fault.to_string() });
        load.mark_fault();
        let asked = Timestamp::now();
        let mut record = FaultRecord {
            what: fault.to_string(),
            asked,
            injected: None,
            undo_asked: None,
            undone: None,
            proof: None,
            problem: None,
        };
        match self.stack.inject(fault, lease).await {
            Ok(injected) => {
                record.asked = injected.asked;
                record.injected = Some(injected.injected);
                self.events.tell(RunEventKind::FaultInjected { fault: fault.to_string() });
                active.push(Active { index, injected, since: Instant::now() });
            }
            Err(error) => {
                let problem = format!("failed to {}", described(&error));
                self.events.warn(problem.clone());
                record.problem = Some(problem);
            }
        }
        watch.evidence.faults.push(record);
    }

    async fn mend(&self, watch: &mut Watch, one: &Active) {
        let Some(record) = watch.evidence.faults.get_mut(one.index) else { return };
        match self.stack.undo(&one.injected).await {
            Ok(undone) => {
                record.undo_asked = Some(undone.asked);
                record.undone = Some(undone.undone);
                self.events.tell(RunEventKind::FaultUndone { fault: one.injected.fault.to_string() });
            }
            Err(error) => {
                let problem = format!("failed to {}", described(&error));
                self.events.warn(problem.clone());
                record.problem = Some(problem);
            }
        }
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

    fn tell_proofs(&self, plan: &Plan, watch: &Watch) {
        let Some(ledger) = &watch.evidence.ledger else { return };
        for (record, (_, fault)) in watch.evidence.faults.iter().zip(&plan.faults) {
            match of_effect(fault, record, ledger, watch.evidence.ended) {
                Ok(proof) => self.events.tell(RunEventKind::FaultProved { fault: fault.to_string(), proof }),
                Err(why) => self.events.warn(format!("no effect of {fault}: {why}")),
            }
        }
    }
}

/// Intervals of the running configuration, in wall seconds.
#[derive(Debug, Clone, Copy)]
struct Intervals {
    scrape: f64,
    evaluation: f64,
    /// What steady load has to fill.
    history: f64,
    /// The slowest group.
    group_interval: f64,
}

impl Intervals {
    fn of(plan: &Plan, watch: &Watch) -> Self {
        let Ok(live) = &watch.evidence.configuration else {
            return Self { scrape: 1.0, evaluation: 1.0, history: 0.0, group_interval: 0.0 };
        };
        let prometheus = PrometheusConfig::parse(&live.prometheus_yaml).ok();
        let seconds = |duration: Option<Duration>| duration.map_or(1.0, |it| it.as_secs_f64());
        let alertmanager = firedrill_rulebook::AlertmanagerConfig::parse(&live.alertmanager_yaml).ok();
        let slowest = |route: &firedrill_rulebook::Route| {
            fn slowest(route: &firedrill_rulebook::Route) -> Duration {
                let own = route.group_interval.unwrap_or_default();
                route.routes.iter().map(slowest).fold(own, Duration::max)
            }
            slowest(route).as_secs_f64()
        };
        Self {
            scrape: seconds(prometheus.as_ref().map(|it| it.scrape_interval)),
            evaluation: seconds(prometheus.as_ref().map(|it| it.evaluation_interval)),
            history: longest_history_of_all(live, &plan.always_firing),
            group_interval: alertmanager.map_or(0.0, |it| slowest(&it.route)),
        }
    }

    /// An upper bound of the wall seconds that the whole drill can take, from its load on.
    fn whole(&self, plan: &Plan) -> f64 {
        let last = plan
            .faults
            .iter()
            .map(|(at, fault)| {
                plan.wall_seconds(*at).max(self.history + SETTLE_EXTRA) + plan.wall_seconds(fault.lasts())
            })
            .fold(0.0, f64::max);
        last + 2.0 * self.history + 2.0 * self.group_interval
    }
}

fn service(name: &str) -> ServiceName {
    name.parse().expect("the services' names are valid service names")
}
