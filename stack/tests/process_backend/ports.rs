//! Ports that are taken.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use firedrill_stack::{PortError, StackEvent, UpError};

use crate::rehearsal::Rehearsal;

/// A port for each part that is free now, from where neither the kernel nor a stack takes any.
pub(crate) fn free_ports() -> BTreeMap<String, u16> {
    let parts = [
        "gateway",
        "auth",
        "user",
        "chat",
        "notification",
        "prometheus",
        "alertmanager",
        "node-exporter",
        "redis-exporter",
        "redis",
    ];
    let first = u16::try_from(7000 + std::process::id() * 10 % 2900).unwrap();
    // All of them open until the last is found.
    let free = (first..10_000).filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    let listeners: Vec<TcpListener> = free.take(parts.len()).collect();
    assert_eq!(listeners.len(), parts.len(), "no free ports from {first} on");
    let addresses = listeners.iter().map(|listener| listener.local_addr().unwrap());
    parts.into_iter().zip(addresses).map(|(part, address)| (part.to_owned(), address.port())).collect()
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
async fn a_given_port_that_is_taken_is_named_with_its_part_and_no_other_is_tried() {
    let rehearsal = Rehearsal::new(0xb00b).await;
    let mut ports = free_ports();
    let squatter = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = squatter.local_addr().unwrap();
    ports.insert("user".to_owned(), address.port());
    let taken = |error: UpError| {
        assert!(error.hint().unwrap().contains(&address.to_string()), "{error}");
        let UpError::Ports(PortError::Taken { part, address, .. }) = error else { panic!("{error}") };
        (part, address)
    };
    let expected = ("user".to_owned(), address.to_string());
    let error = rehearsal.up_on(&ports, |event| panic!("{event:?}")).await.err().unwrap();
    assert_eq!(taken(error), expected);

    drop(squatter);
    let squatter = Mutex::new(None);
    let tell = |event| match event {
        StackEvent::ConfigurationChanged(_) => {
            squatter.lock().unwrap().get_or_insert_with(|| TcpListener::bind(address).unwrap());
        }
        StackEvent::PortTaken { .. } => panic!("{event:?}"),
        _ => {}
    };
    let error = rehearsal.up_on(&ports, tell).await.err().unwrap();
    assert_eq!(taken(error), expected, "taken between the look and the start");
    rehearsal.nothing_is_left();
}
