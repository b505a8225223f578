//! The binary itself.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::client::get;
use crate::redis_server::RedisServer;
use crate::running::until;

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill-services"));
    command.env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The exit code, and what was said on stderr.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = binary().args(arguments).envs(environment.iter().copied()).output().expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

async fn ended(child: &mut Child) -> ExitStatus {
    let mut status = None;
    until("the process has ended", async || {
        status = child.try_wait().expect("our child");
        status.is_some()
    })
    .await;
    status.expect("it has ended")
}

#[tokio::test]
async fn a_service_says_where_it_listens_is_healthy_and_stops_on_sigterm() {
    let redis = RedisServer::start().await;
    let mut child = binary()
        .arg("user")
        .env("FIREDRILL_LISTEN", "127.0.0.1:0")
        .env("REDIS_URL", redis.url().expose())
        .env("FAULT_TOKEN", "hunter2")
        .spawn()
        .expect("it runs");
    let mut log = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    log.read_line(&mut line).expect("a line");
    let listening: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&listening["message"], &listening["service"]), (&"listening".into(), &"user".into()));
    let address = listening["address"].as_str().expect("an address");
    let health = format!("http://{address}/health");
    assert_eq!(get(&health).await.status, 200);
    assert_eq!(run(&["healthcheck", &health], &[]), (Some(0), String::new()));
    let (code, said) = run(&["healthcheck", &format!("http://{address}/nowhere")], &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("answered 404"), "{said}");

    let taken = [("FIREDRILL_LISTEN", address), ("TOKEN_SIGNING_KEY", "a key of sixteen bytes")];
    let (code, said) = run(&["auth"], &taken);
    assert_eq!(code, Some(1));
    assert!(said.starts_with(&format!("failed to listen on {address}: ")), "{said}");
    assert_eq!(said.lines().count(), 1);

    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process number");
    kill_process(pid, Signal::TERM).expect("our child");
    assert!(ended(&mut child).await.success());
    let mut rest = String::new();
    log.read_to_string(&mut rest).expect("utf-8");
    assert!(rest.contains(r#""message":"stopped""#), "{rest}");
    assert!(!rest.contains("hunter2") && !line.contains("hunter2"));

    let (code, said) = run(&["healthcheck", &health], &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("could not be reached"), "{said}");
}

#[test]
fn a_wrong_environment_or_argument_is_one_sentence_and_exit_code_2() {
    let key = ("TOKEN_SIGNING_KEY", "a key of sixteen bytes");
    for (arguments, environment, said) in [
        (vec!["user"], vec![("FIREDRILL_LISTEN", "nonsense")], "FIREDRILL_LISTEN is wrong: "),
        (vec!["auth"], vec![], "TOKEN_SIGNING_KEY is not set: "),
        (vec!["auth"], vec![key, ("LOG_LEVEL", "loud")], "LOG_LEVEL is wrong: "),
        (vec!["gateway"], vec![("UPSTREAM_TIMEOUT_MS", "-1")], "UPSTREAM_TIMEOUT_MS is wrong: "),
        (vec!["healthcheck", "not a url"], vec![], "the URL to check must be "),
        (vec!["nothing"], vec![], "usage: "),
        (vec![], vec![], "usage: "),
    ] {
        let (code, stderr) = run(&arguments, &environment);
        assert_eq!(code, Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with(said), "{arguments:?}: {stderr}");
    }
}
