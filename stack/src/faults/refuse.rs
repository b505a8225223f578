//! A service refuses connections.
//!
//! Only the connection that ordered it can end it before its lease does, so each such fault has a client of its own with
//! one connection, on which something is said now and then: services close connections that say nothing. When that
//! connection is lost all the same, undoing means waiting for the lease.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Client;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::driver::{FaultDriver, Mended};
use super::switch::{Order, Switch, Switches, client};
use crate::deadline::{Deadline, Probe};
use crate::failure::{FaultError, UpError};

const KIND: &str = "refuse";
/// Well below the time for which a service lets a connection be idle.
const SAID_EVERY: Duration = Duration::from_secs(3);
/// From the reply of the switch to the socket being closed, or open again.
const SEEN_WITHIN: Duration = Duration::from_secs(1);
/// From the end of a lease to the socket being open again.
const OPEN_AGAIN_WITHIN: Duration = Duration::from_secs(5);

pub(super) struct Refuse<'a> {
    switch: Switch<'a>,
    switches: &'a Switches,
}

/// A service that refuses connections, and the one connection to it.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Dropped or used, it ends `kept`.
    stop: oneshot::Sender<()>,
    kept: JoinHandle<()>,
    client: Client,
    lease_ends: Instant,
}

impl<'a> Refuse<'a> {
    pub(super) fn new(switch: Switch<'a>, switches: &'a Switches) -> Self {
        Self { switch, switches }
    }

    /// Keeps the connection of `client` in use.
    fn keep(&self, client: Client, lease_ends: Instant) {
        let (stop, mut stopped) = oneshot::channel();
        let look = self.switch.through(client.clone()).look();
        let kept = tokio::spawn(async move {
            // Ended between two looks only, as giving up a request would close the connection.
            while timeout(SAID_EVERY, &mut stopped).await.is_err() {
                let Some(look) = look.try_clone() else { return };
                if let Ok(reply) = look.send().await {
                    let _ = reply.bytes().await;
                }
            }
        });
        let refusal = Refusal { stop, kept, client, lease_ends };
        self.switches.refusals().insert(self.switch.service.clone(), refusal);
    }

    async fn takes_connections(&self, deadline: Deadline) -> Result<String, FaultError> {
        let Switch { service, address, .. } = self.switch;
        let look = || async move {
            match TcpStream::connect(address).await {
                Ok(_) => Probe::Ready(()),
                Err(error) => Probe::NotYet(error.to_string()),
            }
        };
        match deadline.until(&format!("{service} takes connections again"), look).await {
            Ok(()) => Ok(format!("{service} ({address}) takes connections again")),
            Err(passed) => {
                Err(FaultError::NotBack { part: service.to_string(), source: UpError::NotReady(passed) })
            }
        }
    }
}

#[async_trait]
impl FaultDriver for Refuse<'_> {
    fn held_by(&self) -> &str {
        self.switch.service.as_str()
    }

    fn check(&self, lasts: Duration) -> Result<(), FaultError> {
        self.switch.check(lasts)
    }

    async fn inject(&self, lasts: Duration) -> Result<Option<String>, FaultError> {
        let client = client(Client::builder().pool_max_idle_per_host(1).pool_idle_timeout(None));
        let order = Order { kind: KIND, with: json!({}) };
        let ordered = self.switch.through(client.clone()).order(&order, lasts).await;
        let never_sent =
            matches!(&ordered, Err(FaultError::Unreachable { source, .. }) if source.is_connect());
        if !never_sent {
            self.keep(client, Instant::now() + Switch::granted(lasts));
        }
        ordered?;
        let Switch { service, address, .. } = self.switch;
        Ok(refuses(address).await.then(|| format!("{service} ({address}) refuses connections")))
    }

    async fn undo(&self) -> Result<Mended, FaultError> {
        let refusal = self.switches.refusals().remove(self.switch.service);
        let Some(Refusal { stop, kept, client, lease_ends }) = refusal else {
            self.switch.end(KIND).await?;
            return Ok(Mended::by_its_switch());
        };
        drop(stop);
        // It only ends early if it panicked, which leaves the connection as good as before.
        let _ = kept.await;
        let (how, deadline) = match self.switch.through(client).end(KIND).await {
            Ok(()) => ("its switch".to_owned(), Deadline::after(SEEN_WITHIN)),
            Err(error) => {
                let left = lease_ends.saturating_duration_since(Instant::now());
                (format!("the end of its lease ({error})"), Deadline::after(left + OPEN_AGAIN_WITHIN))
            }
        };
        let witnessed = Some(self.takes_connections(deadline).await?);
        Ok(Mended { how, witnessed, ended: None })
    }
}

/// Whether the kernel says so. A service that was told to do nothing of what it is ordered does not.
async fn refuses(address: SocketAddr) -> bool {
    let look = || async move {
        match TcpStream::connect(address).await {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Probe::Ready(()),
            Err(error) => Probe::NotYet(error.to_string()),
            Ok(_) => Probe::NotYet("a connection".to_owned()),
        }
    };
    Deadline::after(SEEN_WITHIN).until("connections are refused", look).await.is_ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use firedrill_drill::Fault;
    use firedrill_record::Secret;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use wiremock::{MockServer, ResponseTemplate};

    use super::super::driver::driver;
    use super::super::kill::tests::NoParts;
    use super::*;

    fn refuse() -> Fault {
        Fault::Refuse { service: "user".parse().unwrap(), lasts: Duration::from_mins(8) }
    }

    fn switches(address: SocketAddr) -> Switches {
        Switches::new(BTreeMap::from([("user".parse().unwrap(), address)]), Secret::new("the-fault-token"))
    }

    /// The next request of a connection; its first line.
    async fn request(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        while !text.contains("\r\n\r\n") || (text.starts_with("POST") && !text.ends_with('}')) {
            let mut bytes = [0; 1024];
            let read = stream.read(&mut bytes).await.unwrap();
            assert!(read > 0, "the connection ended after {text:?}");
            text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        text.lines().next().unwrap().to_owned()
    }

    async fn answer(stream: &mut TcpStream) {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    }

    #[tokio::test]
    async fn the_connection_that_ordered_the_fault_is_kept_in_use_and_ends_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (kept, was_kept) = oneshot::channel();
        let service = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let ordered = request(&mut stream).await;
            drop(listener);
            answer(&mut stream).await;
            let looked = request(&mut stream).await;
            answer(&mut stream).await;
            kept.send(()).unwrap();
            let ended = request(&mut stream).await;
            let listener = TcpListener::bind(address).await.unwrap();
            answer(&mut stream).await;
            (listener, [ordered, looked, ended])
        });
        let (fault, switches) = (refuse(), switches(address));
        let driver = driver(&fault, &switches, &NoParts).unwrap();
        let witnessed = driver.inject(Duration::from_secs(8)).await.unwrap();
        assert_eq!(witnessed, Some(format!("user ({address}) refuses connections")));
        was_kept.await.unwrap();
        let mended = driver.undo().await.unwrap();
        let witnessed = Some(format!("user ({address}) takes connections again"));
        assert_eq!(mended, Mended { how: "its switch".to_owned(), witnessed, ended: None });
        let (_listener, requests) = service.await.unwrap();
        let expected = ["POST /admin/faults", "GET /admin/faults", "DELETE /admin/faults?kind=refuse"];
        assert_eq!(requests, expected.map(|line| format!("{line} HTTP/1.1")));
    }

    #[tokio::test]
    async fn without_that_connection_the_lease_ends_the_fault_and_the_undo_says_so() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            request(&mut stream).await;
            drop(listener);
            answer(&mut stream).await;
        });
        let (fault, switches) = (refuse(), switches(address));
        let driver = driver(&fault, &switches, &NoParts).unwrap();
        driver.inject(Duration::from_secs(8)).await.unwrap();
        service.await.unwrap();
        // Its lease has ended: it listens again, and closes what comes.
        let listener = TcpListener::bind(address).await.unwrap();
        let again = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(stream);
            }
        });
        let mended = driver.undo().await.unwrap();
        assert!(mended.how.starts_with("the end of its lease (end refuse on user: "), "{mended:?}");
        assert_eq!(mended.witnessed, Some(format!("user ({address}) takes connections again")));
        again.abort();
    }

    #[tokio::test]
    async fn a_switch_that_says_yes_and_does_nothing_is_not_witnessed() {
        let server = MockServer::start().await;
        let yes = wiremock::Mock::given(wiremock::matchers::any()).respond_with(ResponseTemplate::new(200));
        yes.mount(&server).await;
        let (fault, switches) = (refuse(), switches(*server.address()));
        let driver = driver(&fault, &switches, &NoParts).unwrap();
        assert_eq!(driver.inject(Duration::from_secs(8)).await.unwrap(), None);
        assert_eq!(driver.undo().await.unwrap().how, "its switch");
    }
}
