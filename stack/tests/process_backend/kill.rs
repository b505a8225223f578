//! Parts that are killed by a fault, and come back.

use std::time::Duration;

use firedrill_drill::Fault;
use firedrill_stack::{Deadline, FaultError, Probe};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ports::free_ports;
use crate::rehearsal::Rehearsal;

fn kill(part: &str) -> Fault {
    Fault::Kill { part: part.to_owned(), lasts: Duration::from_mins(1) }
}

const LEASE: Duration = Duration::from_mins(1);

/// What Redis answers to one command.
async fn redis(port: u16, command: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_service_and_a_killed_redis_come_back_on_their_ports_and_redis_with_its_data() {
    let rehearsal = Rehearsal::new(0xb00a).await;
    let ports = free_ports();
    let stack = rehearsal.up_on(&ports, |_| {}).await.unwrap();
    for (part, address) in stack.record().parts {
        assert_eq!(address, format!("127.0.0.1:{}", ports[&part]), "{part} is on the port it was given");
    }
    let error = stack.inject(&kill("postgres"), LEASE).await.unwrap_err();
    assert!(matches!(error, FaultError::NoSuchPart { .. }), "{error}");

    assert!(redis(ports["redis"], "SET kept yes").await.starts_with("+OK"));
    let before = stack.processes();
    assert_eq!(before.len(), 10);
    for part in ["auth", "redis"] {
        let injected = stack.inject(&kill(part), LEASE).await.unwrap();
        let expected = format!("{part} (process {}) ended by signal 9", before[part]);
        assert_eq!(injected.witnessed, Some(expected));
        assert!(TcpStream::connect(("127.0.0.1", ports[part])).await.is_err(), "{part} still listens");
        assert_eq!((stack.lost(), stack.processes().get(part)), (vec![], None));
        let again = stack.inject(&kill(part), LEASE).await.unwrap_err();
        assert!(matches!(again, FaultError::EndedBefore { .. }), "{again}");

        let undone = stack.undo(&injected).await.unwrap();
        let process = stack.processes()[part];
        assert_ne!(process, before[part]);
        assert_eq!(undone.witnessed, Some(format!("{part} runs again as process {process}")));
        assert_eq!(stack.lost(), []);
    }
    assert!(redis(ports["redis"], "GET kept").await.starts_with("$3\r\nyes"), "a write is lost");
    let health = || async {
        let reply = reqwest::get(format!("http://127.0.0.1:{}/health", ports["auth"])).await.unwrap();
        if reply.status() == 200 { Probe::Ready(()) } else { Probe::NotYet(reply.status().to_string()) }
    };
    Deadline::after(Duration::from_secs(20)).until("auth has its Redis again", health).await.unwrap();

    let process = Pid::from_raw(stack.processes()["auth"].try_into().unwrap()).unwrap();
    kill_process(process, Signal::KILL).unwrap();
    let lost = || async {
        let lost = stack.lost();
        if lost.is_empty() { Probe::NotYet("none".to_owned()) } else { Probe::Ready(lost) }
    };
    let lost = Deadline::after(Duration::from_secs(5)).until("a part is lost", lost).await.unwrap();
    assert_eq!(lost[0].part, "auth", "what came back and ended again is lost");

    stack.inject(&kill("chat"), LEASE).await.unwrap();
    let report = stack.down().await;
    let how = |part| report.stopped.iter().find(|one| one.part == part).unwrap().how.as_str();
    assert_eq!(how("chat"), "had been killed by a fault: signal: 9 (SIGKILL)");
    assert_eq!(how("auth"), "had ended before: signal: 9 (SIGKILL)");
    assert!(report.left.is_empty(), "{report:?}");
    rehearsal.nothing_is_left();
}
