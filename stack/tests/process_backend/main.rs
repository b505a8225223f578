//! The process backend with the real programs. They must be installed, and the services built.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod kill;
mod owner;
mod ports;
mod rehearsal;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use firedrill_drill::Fault;
use firedrill_stack::{Backend, Deadline, Probe, ProcessBackend, StackEvent, StackPlan, ToolError, UpError};
use tokio::sync::Notify;

use rehearsal::Rehearsal;

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
