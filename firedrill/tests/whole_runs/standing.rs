//! A stack that stays: up, status, down, and its owner killed.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use firedrill_stack::{Deadline, Probe, ProcessIdentity};
use rustix::process::Signal;

use super::support::Place;
use super::{ONE_AT_A_TIME, processes};

/// Whatever becomes of the test, nothing of its stack stays.
struct Cleaned<'a>(&'a Place);

impl Drop for Cleaned<'_> {
    fn drop(&mut self) {
        let _ = self.0.firedrill().arg("down").output();
    }
}

fn firedrill(place: &Place, words: &[&str]) -> Output {
    place.firedrill().args(words).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A stack whose configuration scrapes so often that it is ready early.
fn early_up(place: &Place) {
    let (from, to) = (Place::workspace().join("stack/config"), place.path("config"));
    copied(&from, &to);
    let file = to.join("prometheus.yml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("scrape_interval: 15s"), "{text}");
    fs::write(
        &file,
        text.replace("scrape_interval: 15s", "scrape_interval: 1s")
            .replace("scrape_timeout: 10s", "scrape_timeout: 1s"),
    )
    .unwrap();
    let up = firedrill(place, &["up", "--ports", "free", "--config", "config"]);
    assert_eq!(up.status.code(), Some(0), "{}", stderr(&up));
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copied(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// The only run that did not end, and its owner as it is registered.
fn registered(place: &Place) -> (String, ProcessIdentity) {
    let [run] = <[String; 1]>::try_from(place.unfinished()).unwrap();
    let text = fs::read_to_string(place.path("state/firedrill/active").join(&run)).unwrap();
    let registration: serde_json::Value = serde_json::from_str(&text).unwrap();
    let owner = serde_json::from_value(registration["owner"].clone()).unwrap();
    (run, owner)
}

/// The address that `table` names for `part`.
fn address(table: &str, part: &str) -> String {
    let line = table.lines().find(|line| line.split_whitespace().next() == Some(part)).unwrap();
    line.split_once("://").unwrap().1.split_whitespace().next().unwrap().to_owned()
}

fn health(address: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    connection.write_all(b"GET /health HTTP/1.1\r\nhost: stack\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

async fn gone(owner: ProcessIdentity) {
    let look =
        || async { if owner.lives() { Probe::NotYet("it lives".to_owned()) } else { Probe::Ready(()) } };
    Deadline::after(Duration::from_secs(20)).until("the owner is gone", look).await.unwrap();
}

#[tokio::test]
async fn a_stack_stays_up_after_the_command_has_ended_until_it_is_taken_down() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let place = Place::new();
    let _cleaned = Cleaned(&place);
    let up = firedrill(&place, &["up", "--ports", "free"]);
    assert_eq!(up.status.code(), Some(0), "{}", stderr(&up));
    let (run, owner) = registered(&place);
    assert!(owner.lives() && stdout(&up).contains(&run), "{}", stdout(&up));
    assert!(health(&address(&stdout(&up), "user")).starts_with("HTTP/1.1 200 "));

    let status = firedrill(&place, &["status"]);
    assert_eq!(status.status.code(), Some(0), "{}", stdout(&status));
    assert_eq!(stdout(&status).matches("  answers\n").count(), 10, "{}", stdout(&status));

    let second = firedrill(&place, &["up", "--ports", "free"]);
    assert_eq!(second.status.code(), Some(3), "{}", stdout(&second));
    assert!(stderr(&second).contains("a stack is up already"), "{}", stderr(&second));
    assert_eq!(registered(&place), (run.clone(), owner));

    let down = firedrill(&place, &["down"]);
    assert_eq!(down.status.code(), Some(0), "{}", stderr(&down));
    assert!(!owner.lives());
    assert_eq!(processes::of_run(&run), [] as [u32; 0]);
    assert_eq!(place.unfinished(), [] as [&str; 0]);
}

#[tokio::test]
async fn what_a_killed_owner_leaves_is_shown_by_status_refused_by_up_and_ended_by_down() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let place = Place::new();
    let _cleaned = Cleaned(&place);
    early_up(&place);
    let (run, owner) = registered(&place);
    processes::send(owner.pid, Signal::KILL);
    gone(owner).await;
    assert_ne!(processes::of_run(&run), [] as [u32; 0], "there is nothing to take down");

    let status = firedrill(&place, &["status"]);
    assert_eq!(status.status.code(), Some(4), "{}", stdout(&status));
    assert!(stdout(&status).contains("its owner was killed"), "{}", stdout(&status));
    let second = firedrill(&place, &["up", "--ports", "free"]);
    assert_eq!(second.status.code(), Some(3), "{}", stdout(&second));

    let down = firedrill(&place, &["down"]);
    assert_eq!(down.status.code(), Some(0), "{} {}", stdout(&down), stderr(&down));
    assert_eq!(processes::of_run(&run), [] as [u32; 0]);
    assert_eq!(place.unfinished(), [] as [&str; 0]);
}

#[tokio::test]
async fn status_tells_a_part_that_does_not_answer() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let place = Place::new();
    let _cleaned = Cleaned(&place);
    early_up(&place);
    let (run, _) = registered(&place);
    let chat = processes::of_run(&run).into_iter().find(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == b"chat")
    });
    processes::send(chat.unwrap(), Signal::STOP);
    let status = firedrill(&place, &["status"]);
    processes::send(chat.unwrap(), Signal::CONT);
    assert_eq!(status.status.code(), Some(4), "{}", stdout(&status));
    let chat = stdout(&status).lines().find(|line| line.starts_with("chat ")).unwrap().to_owned();
    assert!(chat.contains("does not answer: "), "{chat}");
}

#[tokio::test]
async fn a_stack_that_cannot_be_set_up_ends_with_its_reason_and_leaves_nothing() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    let up = place.firedrill().env("PATH", place.path("empty")).args(["up", "--ports", "free"]).output();
    let up = up.unwrap();
    assert_eq!(up.status.code(), Some(3), "{}", stdout(&up));
    assert!(stderr(&up).contains("error: failed to find "), "{}", stderr(&up));
    assert_eq!(place.unfinished(), [] as [&str; 0]);
}

#[test]
fn without_a_stack_status_says_so_and_down_has_nothing_to_do() {
    let place = Place::new();
    for (command, code) in [("status", 3), ("down", 0)] {
        let output = firedrill(&place, &[command]);
        assert_eq!(
            (output.status.code(), stdout(&output).as_str()),
            (Some(code), "nothing is up\n"),
            "{command}"
        );
    }
}
