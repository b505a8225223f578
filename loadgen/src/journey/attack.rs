//! goose, tamed: one attack in its own runtime on its own thread, with exactly the users asked for.
//!
//! It knows nothing of journeys. Users end themselves when the phase says so, which is what makes goose end: its kill
//! switch is never needed, and its future is never dropped while users live.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::goose::{GooseUser, Scenario, Transaction, TransactionFunction};
use goose::{GooseAttack, GooseError};
use reqwest::Client;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::client::shared_client;
use crate::LoadError;
use crate::error::panic_message;
use crate::phase::{Failures, Phase, PhaseWatch};

/// Threads of goose's runtime.
const WORKERS: usize = 2;
/// How long goose's runtime may take to end what is left in it after the attack.
const RUNTIME_END: Duration = Duration::from_millis(500);

/// What one user does.
#[async_trait]
pub(crate) trait UserScript: Send {
    /// Once, before the load runs.
    async fn set_up(&mut self, client: &Client) -> Result<(), LoadError>;
    /// Step `index` of a round; rounds follow each other while the load runs.
    async fn step(&mut self, index: usize, client: &Client) -> Result<(), LoadError>;
}

type Recruit = Arc<dyn Fn(usize) -> Box<dyn UserScript> + Send + Sync>;

/// Users who do the same.
#[derive(Clone)]
pub(crate) struct Crew {
    /// What the load is called in errors.
    pub(crate) name: String,
    /// Names of the steps of a round, at least one.
    pub(crate) steps: Vec<String>,
    /// How many users, at least one.
    pub(crate) users: usize,
    /// Makes user number 0, 1, ...
    pub(crate) recruit: Recruit,
}

/// A running attack.
#[derive(Debug)]
pub(crate) struct Attack {
    ended: Option<oneshot::Receiver<Result<(), String>>>,
    failures: Failures,
}

impl Attack {
    /// Starts all users of all crews at once; returns when each has made its set-up.
    ///
    /// On an error the users are still there: the caller enters [`Phase::Aborting`], and they end by themselves.
    pub(crate) async fn start(
        crews: Vec<Crew>,
        phase: PhaseWatch,
        failures: Failures,
    ) -> (Self, Result<(), LoadError>) {
        let mut attack = Self { ended: None, failures: failures.clone() };
        let started = attack.start_users(crews, phase, failures).await;
        (attack, started)
    }

    async fn start_users(
        &mut self,
        crews: Vec<Crew>,
        phase: PhaseWatch,
        failures: Failures,
    ) -> Result<(), LoadError> {
        let slot = AttackSlot::take().ok_or(LoadError::AttackRunning)?;
        let refused = |why: &dyn ToString| LoadError::Attack { why: why.to_string() };
        let users: usize = crews.iter().map(|crew| crew.users).sum();
        let client = shared_client().map_err(|error| refused(&error))?;
        let (ready, mut set_up) = mpsc::unbounded_channel();
        let scenarios = crews
            .into_iter()
            .map(|crew| scenario(&crew, &client, &phase, &failures, &ready))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| refused(&error))?;
        drop(ready);
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name("goose".to_owned())
            .spawn(move || {
                let result = run(users, scenarios);
                drop(slot);
                // Nobody listens when the load was dropped; there is nobody left to tell.
                let _ = end.send(result);
            })
            .map_err(|error| refused(&error))?;
        self.ended = Some(ended);
        for _ in 0..users {
            match set_up.recv().await {
                Some(made) => made?,
                None => return Err(refused(&self.why_it_ended().await)),
            }
        }
        Ok(())
    }

    /// Returns when goose's thread is over; an attack that broke is reported.
    pub(crate) async fn ended(&mut self) {
        if self.ended.is_some() {
            let why = self.why_it_ended().await;
            if !why.is_empty() {
                self.failures.report(LoadError::Attack { why });
            }
        }
    }

    /// Empty when it ended well.
    async fn why_it_ended(&mut self) -> String {
        let Some(ended) = &mut self.ended else { return String::new() };
        let result = ended.await;
        self.ended = None;
        match result {
            Ok(Ok(())) => String::new(),
            Ok(Err(why)) => why,
            Err(_) => "its thread panicked".to_owned(),
        }
    }
}

/// The body of goose's thread.
fn run(users: usize, scenarios: Vec<Scenario>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("goose-worker")
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let result = runtime.block_on(async {
        let mut attack = GooseAttack::initialize_with_config(configuration(users)?)?
            .set_client_builder_without_cookies(GooseClientBuilder::new().without_cookies())?;
        for scenario in scenarios {
            attack = attack.register_scenario(scenario);
        }
        Box::pin(attack.execute()).await
    });
    runtime.shutdown_timeout(RUNTIME_END);
    result.map(drop).map_err(|error: GooseError| error.to_string())
}

/// No controllers, no reports, no metrics, nothing on stdout.
///
/// The WebSocket controller is off unless asked for; `no_websocket` would print a warning that says so.
/// `no_reset_metrics` stays off: with it goose prints a line when its users have started, and there are no metrics
/// to lose. An increase rate beyond any number of users makes the ramp take no time.
fn configuration(users: usize) -> Result<GooseConfiguration, GooseError> {
    let mut configuration = GooseConfiguration::parse_args_default::<&str>(&[])?;
    configuration.users = Some(users);
    configuration.increase_rate = Some("1000000000".to_owned());
    // Never requested: every step names its whole address.
    configuration.host = Some("http://127.0.0.1".to_owned());
    configuration.quiet = 2;
    configuration.no_metrics = true;
    configuration.no_transaction_metrics = true;
    configuration.no_scenario_metrics = true;
    configuration.no_print_metrics = true;
    configuration.no_error_summary = true;
    configuration.no_status_codes = true;
    configuration.no_telnet = true;
    configuration.no_gzip = true;
    Ok(configuration)
}

/// What goose keeps for a user. goose wants it to be `Clone`, so the script itself is behind a lock nobody contends.
#[derive(Clone)]
struct Slot {
    script: Arc<Mutex<Box<dyn UserScript>>>,
    /// The user broke and does nothing more.
    retired: Arc<AtomicBool>,
}

type Ready = mpsc::UnboundedSender<Result<(), LoadError>>;

/// A crew as a scenario: weights equal to the numbers of users, and as many users as the weights' sum, make goose
/// start exactly that many of each.
fn scenario(
    crew: &Crew,
    client: &Client,
    phase: &PhaseWatch,
    failures: &Failures,
    ready: &Ready,
) -> Result<Scenario, GooseError> {
    let mut scenario = Scenario::new(&crew.name).set_weight(crew.users)?;
    let set_up = set_up_transaction(crew, client.clone(), ready.clone());
    scenario = scenario.register_transaction(Transaction::new(set_up).set_name("set-up").set_on_start());
    for (index, name) in crew.steps.iter().enumerate() {
        let step = step_transaction(crew, index, phase.clone(), failures.clone());
        scenario =
            scenario.register_transaction(Transaction::new(step).set_name(name).set_sequence(index + 1));
    }
    Ok(scenario)
}

fn set_up_transaction(crew: &Crew, client: Client, ready: Ready) -> TransactionFunction {
    let (name, recruit, next) = (crew.name.clone(), Arc::clone(&crew.recruit), AtomicUsize::new(0));
    Arc::new(move |user: &mut GooseUser| {
        // goose's own client follows redirects and obeys proxies of the environment.
        user.client = client.clone();
        let number = next.fetch_add(1, Ordering::Relaxed);
        let (client, name, ready) = (client.clone(), name.clone(), ready.clone());
        let recruit = Arc::clone(&recruit);
        let made = caught(name, async move {
            let mut script = recruit(number);
            script.set_up(&client).await?;
            Ok(script)
        });
        Box::pin(async move {
            let made = made.await.map(|script| {
                user.set_session_data(Slot { script: Arc::new(Mutex::new(script)), retired: Arc::default() });
            });
            let _ = ready.send(made);
            Ok(())
        })
    })
}

fn step_transaction(crew: &Crew, index: usize, phase: PhaseWatch, failures: Failures) -> TransactionFunction {
    let name = crew.name.clone();
    Arc::new(move |user: &mut GooseUser| {
        let (name, phase, failures) = (name.clone(), phase.clone(), failures.clone());
        Box::pin(async move {
            let slot = user.get_session_data::<Slot>().cloned();
            phase.reached(Phase::Running).await;
            let slot = slot.filter(|slot| !slot.retired.load(Ordering::Relaxed));
            let (Some(slot), true) = (slot, phase.now() == Phase::Running) else {
                leave(user);
                return Ok(());
            };
            let client = user.client.clone();
            let script = Arc::clone(&slot.script);
            let done = caught(name, async move { script.lock().await.step(index, &client).await }).await;
            if let Err(error) = done {
                slot.retired.store(true, Ordering::Relaxed);
                failures.report(error);
            }
            if phase.now() != Phase::Running {
                leave(user);
            }
            Ok(())
        })
    })
}

/// Lets the user end with its round, and goose with its last user, as after a number of iterations.
fn leave(user: &mut GooseUser) {
    user.config.iterations = Some(1);
}

/// goose swallows panics of its users.
fn caught<T: Send + 'static>(
    load: String,
    work: impl Future<Output = Result<T, LoadError>> + Send + 'static,
) -> BoxFuture<'static, Result<T, LoadError>> {
    AssertUnwindSafe(work)
        .catch_unwind()
        .map(|ended| {
            ended.unwrap_or_else(|panic| Err(LoadError::Panicked { load, why: panic_message(&*panic) }))
        })
        .boxed()
}

/// Leave to be the one attack of this process: goose's kill switch and logger are global.
struct AttackSlot;

static ATTACK_RUNS: AtomicBool = AtomicBool::new(false);

impl AttackSlot {
    fn take() -> Option<Self> {
        (!ATTACK_RUNS.swap(true, Ordering::AcqRel)).then_some(Self)
    }
}

impl Drop for AttackSlot {
    fn drop(&mut self) {
        ATTACK_RUNS.store(false, Ordering::Release);
    }
}

#[cfg(test)]
#[path = "attack_tests.rs"]
mod tests;
