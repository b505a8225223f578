//! The process backend with the real programs. They must be installed, and the services built.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use firedrill_drill::Fault;
use firedrill_record::RunId;
use firedrill_rulebook::{HarnessWiring, ScaledFlags, compress};
use firedrill_stack::{
    Backend, Deadline, Probe, ProcessBackend, RestoredState, RunFolder, RunPlaces, Stack, StackEvent,
    StackPlan, ToolError, UpError, default_configuration, processes_of, restore_in,
};
use tokio::sync::Notify;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

const SPEED: u32 = 60;

/// A run with a harness that is scraped.
struct Rehearsal {
    run: RunFolder,
    harness: MockServer,
    /// Removed when the rehearsal is dropped.
    _root: Option<tempfile::TempDir>,
}

fn places(root: &Path) -> RunPlaces {
    RunPlaces { runs: root.join("runs"), state: root.join("state") }
}

impl Rehearsal {
    async fn new(number: u16) -> Self {
        let root = tempfile::tempdir().unwrap();
        let below = Self::below(root.path(), number).await;
        Self { _root: Some(root), ..below }
    }

    async fn below(root: &Path, number: u16) -> Self {
        let run = RunId::new(jiff::Timestamp::now(), number);
        let run = RunFolder::create_in(&places(root), run, None).unwrap();
        let harness = MockServer::start().await;
        let metrics = ResponseTemplate::new(200).set_body_string("firedrill_run 1\n");
        Mock::given(path("/metrics")).respond_with(metrics).mount(&harness).await;
        Mock::given(wiremock::matchers::method("POST"))
            .respond_with(ResponseTemplate::new(200))
            .mount(&harness)
            .await;
        Self { run, harness, _root: None }
    }

    fn plan(&self) -> StackPlan {
        let compressed = compress(&default_configuration(), SPEED).unwrap();
        StackPlan {
            configuration: compressed.folder,
            configuration_name: "default".to_owned(),
            flags: ScaledFlags::at(SPEED),
            harness: HarnessWiring {
                metrics_address: self.harness.address().to_string(),
                witness_url: format!("{}/witness", self.harness.uri()),
            },
            services_environment: [("FAULTS_INERT".to_owned(), "0".to_owned())].into(),
            services_binary: services_binary(),
            folder: self.run.stack(1),
            start_deadline: Duration::from_mins(1),
        }
    }

    async fn up(
        &self,
        plan: StackPlan,
        tell: impl Fn(StackEvent) + Send + Sync,
    ) -> Result<Box<dyn Stack>, UpError> {
        ProcessBackend::from_environment().up(plan, &self.run, &tell).await
    }

    fn nothing_is_left(&self) {
        assert_eq!(processes_of(self.run.id()).unwrap(), []);
    }
}

/// The program of the services, beside the tests.
fn services_binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let binary = test.ancestors().nth(2).unwrap().join("firedrill-services");
    assert!(binary.is_file(), "{} is missing: cargo build -p firedrill-services", binary.display());
    binary
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.is_file() {
            files.push(path);
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_comes_up_takes_a_fault_and_goes_down_without_a_trace() {
    let rehearsal = Rehearsal::new(0xb001).await;
    let ready = Mutex::new(BTreeSet::new());
    let tell = |event| {
        if let StackEvent::PartReady { part, .. } = event {
            ready.lock().unwrap().insert(part);
        }
    };
    let stack = rehearsal.up(rehearsal.plan(), tell).await.unwrap();
    assert_eq!(ready.into_inner().unwrap().len(), 10);
    assert_eq!(stack.lost(), []);
    assert_eq!(stack.record().parts.len(), 10);
    assert!(stack.versions()["prometheus"].starts_with(char::is_numeric));

    let fault = Fault::Errors {
        service: "user".parse().unwrap(),
        ratio: "100%".parse().unwrap(),
        lasts: Duration::from_mins(1),
    };
    let user = stack.addresses().services[&"user".parse().unwrap()];
    let probe = async || reqwest::get(format!("http://{user}/users")).await.unwrap().status().as_u16();
    let healthy = probe().await;
    let injected = stack.inject(&fault, Duration::from_secs(5)).await.unwrap();
    assert_eq!(probe().await, 500, "{healthy} before the fault");
    let undone = stack.undo(&injected).await.unwrap();
    assert_eq!(probe().await, healthy);
    assert!(
        injected.asked <= injected.injected
            && injected.injected <= undone.asked
            && undone.asked <= undone.undone
    );

    let secrets = stack.secrets();
    let report = stack.down().await;
    assert_eq!((report.stopped.len(), report.left.as_slice()), (10, [].as_slice()), "{report:?}");
    assert_eq!(report.stopped.last().unwrap().part, "redis", "{report:?}");
    assert!(!report.stopped.iter().any(|part| part.how.contains("SIGKILL")), "{report:?}");
    rehearsal.nothing_is_left();
    for file in files_below(rehearsal.run.path()) {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(
            !secrets.iter().any(|secret| text.contains(secret.expose())),
            "a secret in {}",
            file.display()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_killed_is_lost_and_a_dropped_stack_leaves_nothing() {
    let rehearsal = Rehearsal::new(0xb002).await;
    let victim = Mutex::new(None);
    let tell = |event| {
        if let StackEvent::PartStarted { part, pid, .. } = event
            && part == "redis-exporter"
        {
            *victim.lock().unwrap() = pid;
        }
    };
    let stack = rehearsal.up(rehearsal.plan(), tell).await.unwrap();
    let victim = i32::try_from(victim.into_inner().unwrap().unwrap()).unwrap();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(victim).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    let lost = Deadline::after(Duration::from_secs(5))
        .until("a part is lost", || async {
            let lost = stack.lost();
            if lost.is_empty() { Probe::NotYet("none".to_owned()) } else { Probe::Ready(lost) }
        })
        .await
        .unwrap();
    assert_eq!((lost.len(), lost[0].part.as_str()), (1, "redis-exporter"));
    assert!(lost[0].how.contains("SIGKILL"), "{lost:?}");
    drop(stack);
    rehearsal.nothing_is_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_given_up_leaves_nothing() {
    let rehearsal = Rehearsal::new(0xb003).await;
    let begun = Notify::new();
    let tell = |event| {
        if matches!(event, StackEvent::PartStarted { part, .. } if part == "notification") {
            begun.notify_one();
        }
    };
    tokio::select! {
        _ = rehearsal.up(rehearsal.plan(), tell) => panic!("it was up before it was given up"),
        () = begun.notified() => {}
    }
    rehearsal.nothing_is_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_met_by_another_set_of_ports() {
    let rehearsal = Rehearsal::new(0xb004).await;
    let (squatted, taken) = (Mutex::new(vec!["user:3002", "prometheus:9090"]), Mutex::new(Vec::new()));
    let (tries, squatters) = (AtomicUsize::new(1), Mutex::new(Vec::new()));
    let tell = |event| match event {
        StackEvent::ConfigurationChanged(change) => {
            let mut squatted = squatted.lock().unwrap();
            // One of them at each try.
            if squatted.len() + tries.load(Ordering::Relaxed) == 3
                && squatted.pop_if(|name| change.from.contains(*name)).is_some()
            {
                let address = change.to.split_once("127.0.0.1:").unwrap().1;
                let port: String = address.chars().take_while(char::is_ascii_digit).collect();
                squatters.lock().unwrap().push(TcpListener::bind(format!("127.0.0.1:{port}")).unwrap());
            }
        }
        StackEvent::PortTaken { part, .. } => {
            tries.fetch_add(1, Ordering::Relaxed);
            taken.lock().unwrap().push(part);
        }
        _ => {}
    };
    let stack = rehearsal.up(rehearsal.plan(), tell).await.unwrap();
    assert_eq!(taken.into_inner().unwrap(), ["prometheus", "user"]);
    stack.down().await;
    rehearsal.nothing_is_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_ends_at_once_fails_the_start_with_its_name() {
    let rehearsal = Rehearsal::new(0xb005).await;
    let plan = StackPlan { services_binary: "/bin/false".into(), ..rehearsal.plan() };
    let error = rehearsal.up(plan, |_| {}).await.err().unwrap();
    assert!(matches!(&error, UpError::PartDied { how, .. } if how == "exit status: 1"), "{error}");
    rehearsal.nothing_is_left();
}

#[tokio::test]
async fn a_configuration_that_prometheus_refuses_starts_nothing() {
    let rehearsal = Rehearsal::new(0xb006).await;
    let mut plan = rehearsal.plan();
    let rule = "groups: [{name: broken, rules: [{record: 'a:b', expr: 'sum('}]}]\n";
    plan.configuration.files.insert("rules/broken.yml".to_owned(), rule.to_owned());
    let error = rehearsal.up(plan, |event| panic!("{event:?}")).await.err().unwrap();
    let UpError::ConfigurationRefused { tool, said, .. } = &error else { panic!("{error}") };
    assert_eq!(tool, "promtool");
    assert!(said.contains("rules/broken.yml"), "{said}");
}

#[tokio::test]
async fn routes_that_alertmanager_refuses_start_nothing() {
    let rehearsal = Rehearsal::new(0xb007).await;
    let mut plan = rehearsal.plan();
    let routes = "route: {receiver: nobody}\nreceivers: [{name: somebody}]\n";
    plan.configuration.files.insert("alertmanager.yml".to_owned(), routes.to_owned());
    let error = rehearsal.up(plan, |event| panic!("{event:?}")).await.err().unwrap();
    assert!(matches!(&error, UpError::ConfigurationRefused { tool, .. } if tool == "amtool"), "{error}");
}

#[tokio::test]
async fn a_missing_program_is_named_and_nothing_is_started() {
    let rehearsal = Rehearsal::new(0xb008).await;
    let backend = ProcessBackend::from_environment().with_search_path(vec![rehearsal.run.path().to_owned()]);
    let error =
        backend.up(rehearsal.plan(), &rehearsal.run, &|event| panic!("{event:?}")).await.err().unwrap();
    assert!(matches!(error, UpError::Tool(ToolError::Missing { what: "prometheus", .. })), "{error}");
    assert!(error.hint().unwrap().contains("./setup.sh"));
}

const OWNER: &str = "STACK_TEST_OWNER_FOLDER";

/// Not a test of its own: the owner that the next test starts as a process and kills.
#[tokio::test(flavor = "multi_thread")]
async fn owner_that_is_killed() {
    let Some(root) = std::env::var_os(OWNER) else { return };
    let rehearsal = Rehearsal::below(Path::new(&root), 0xb009).await;
    let say = |event| match event {
        StackEvent::PartStarted { part, .. } => println!("\nstarted {part}"),
        StackEvent::StackReady { .. } => println!("\nready"),
        _ => {}
    };
    let stack = rehearsal.up(rehearsal.plan(), say).await.unwrap();
    let fault = Fault::Errors {
        service: "user".parse().unwrap(),
        ratio: "30%".parse().unwrap(),
        lasts: Duration::from_mins(1),
    };
    stack.inject(&fault, Duration::from_mins(1)).await.unwrap();
    println!("\ninjected");
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restore_ends_everything_of_an_owner_that_was_killed_while_starting_or_with_a_fault() {
    for (moment, faults) in [("started prometheus", 0), ("started chat", 0), ("injected", 1)] {
        let root = tempfile::tempdir().unwrap();
        let mut owner = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "owner_that_is_killed", "--nocapture"])
            .env(OWNER, root.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
        let seen = lines.by_ref().any(|line| line.unwrap() == moment);
        owner.kill().unwrap();
        owner.wait().unwrap();
        assert!(seen, "the owner never said: {moment}");

        let report = restore_in(&places(root.path()), None, &|_| {}).await.unwrap();
        let [restored] = report.runs.as_slice() else { panic!("{moment}: {report:?}") };
        let RestoredState::Restored { ended, undone, left } = &restored.state else {
            panic!("{moment}: {report:?}")
        };
        assert!(!ended.is_empty() && left.is_empty(), "{moment}: {report:?}");
        assert_eq!(undone.len(), faults, "{moment}: {report:?}");
        assert_eq!(processes_of(&restored.run).unwrap(), [], "{moment}");
    }
}
