//! When a stack is ready: every part answers, every target was discovered and scraped, and Prometheus knows its
//! Alertmanager. Prometheus tells its scrapers and its notifier of targets only every 5 s; before that it would drop
//! an alert.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::configuration::{Configuration, ExpectedTarget};
use super::part::{Part, ReadyWhen};
use super::parts::Layout;
use super::start::Tell;
use crate::backend::StackEvent;
use crate::deadline::{Deadline, Probe};
use crate::failure::UpError;

/// One look at a part takes no longer.
const LOOK: Duration = Duration::from_secs(2);

pub(super) struct Readiness {
    client: reqwest::Client,
}

impl Readiness {
    pub(super) fn new() -> Self {
        // A proxy of the caller's environment has no business between processes of one host.
        let client = reqwest::Client::builder().no_proxy().timeout(LOOK).build();
        Self { client: client.expect("a client without TLS and proxy can always be built") }
    }

    /// Waits until every one of `parts` answers; fails as soon as one ends.
    pub(super) async fn parts(
        &self,
        parts: &[Arc<Part>],
        deadline: Deadline,
        tell: Tell<'_>,
    ) -> Result<(), UpError> {
        let waits = parts.iter().map(|part| async move {
            let look = || async move {
                if let Some(death) = part.death() {
                    return Probe::Ready(Err(death));
                }
                let answer = self.answers(part.plan.ready_when, part.plan.address).await;
                answer.map_or_else(Probe::NotYet, |()| Probe::Ready(Ok(())))
            };
            deadline.until(&format!("{} is ready", part.plan.name), look).await??;
            tell(StackEvent::PartReady { part: part.plan.name.clone(), after: deadline.elapsed() });
            Ok::<(), UpError>(())
        });
        try_join_all(waits).await.map(drop)
    }

    /// Waits until Prometheus has found every target of `configuration`, those of this host are up, and it knows its
    /// Alertmanager, if it has one; fails as soon as one of `parts` ends.
    pub(super) async fn targets(
        &self,
        layout: &Layout,
        configuration: &Configuration,
        parts: &[Arc<Part>],
        deadline: Deadline,
    ) -> Result<(), UpError> {
        let expected = &configuration.targets(layout)?;
        let has_alertmanager = configuration.has_alertmanager()?;
        let prometheus = layout.address("prometheus");
        let look = || async move {
            if let Some(death) = parts.iter().find_map(|part| part.death()) {
                return Probe::Ready(Err(death));
            }
            match self.unready(prometheus, expected, has_alertmanager).await {
                Ok(None) => Probe::Ready(Ok(())),
                Ok(Some(missing)) | Err(missing) => Probe::NotYet(missing),
            }
        };
        deadline.until("every target is up and Prometheus knows its Alertmanager", look).await?
    }

    /// What is still missing, if anything is.
    async fn unready(
        &self,
        prometheus: SocketAddr,
        expected: &[ExpectedTarget],
        has_alertmanager: bool,
    ) -> Result<Option<String>, String> {
        let targets: Targets = self.json(prometheus, "/api/v1/targets").await?;
        let missing: Vec<String> = expected.iter().filter_map(|target| targets.missing(target)).collect();
        if !missing.is_empty() {
            return Ok(Some(missing.join("; ")));
        }
        if !has_alertmanager {
            return Ok(None);
        }
        let known: Alertmanagers = self.json(prometheus, "/api/v1/alertmanagers").await?;
        let none = known.active.is_empty();
        Ok(none.then(|| "Prometheus knows no Alertmanager".to_owned()))
    }

    async fn json<T: serde::de::DeserializeOwned>(&self, at: SocketAddr, path: &str) -> Result<T, String> {
        let reply = self.client.get(format!("http://{at}{path}")).send().await;
        let reply = reply.and_then(reqwest::Response::error_for_status).map_err(|error| chain(&error))?;
        reply.json::<Reply<T>>().await.map(|reply| reply.data).map_err(|error| chain(&error))
    }

    /// Looks once; what was seen instead of readiness, as a fragment, where it is not ready.
    pub(super) async fn answers(&self, ready_when: ReadyWhen, address: SocketAddr) -> Result<(), String> {
        match ready_when {
            ReadyWhen::Redis => pong(address).await.map_err(|error| error.to_string()),
            ReadyWhen::Http(path) => {
                let reply = self.client.get(format!("http://{address}{path}")).send().await;
                match reply.map(|reply| reply.status()) {
                    Ok(reqwest::StatusCode::OK) => Ok(()),
                    Ok(status) => Err(format!("{path} answered {status}")),
                    Err(error) => Err(chain(&error)),
                }
            }
        }
    }
}

async fn pong(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await?;
    if &answer == b"+PONG\r\n" {
        Ok(())
    } else {
        Err(std::io::Error::other(format!("it answered {:?}", String::from_utf8_lossy(&answer))))
    }
}

/// An error with its causes: reqwest's own words leave out why.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}

#[derive(Deserialize)]
struct Reply<T> {
    data: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Targets {
    active_targets: Vec<ActiveTarget>,
    #[serde(default)]
    dropped_targets: Vec<DroppedTarget>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ActiveTarget {
    discovered_labels: Discovered,
    scrape_pool: String,
    health: String,
    #[serde(default)]
    last_error: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DroppedTarget {
    discovered_labels: Discovered,
}

#[derive(Deserialize)]
struct Discovered {
    #[serde(rename = "__address__", default)]
    address: String,
    #[serde(default)]
    job: String,
}

#[derive(Deserialize)]
struct Alertmanagers {
    #[serde(rename = "activeAlertmanagers")]
    active: Vec<serde_json::Value>,
}

impl Targets {
    /// What this target lacks, if it lacks anything. One that relabelling drops lacks nothing.
    fn missing(&self, expected: &ExpectedTarget) -> Option<String> {
        let ExpectedTarget { job, address, must_be_up } = expected;
        let same = |target: &&ActiveTarget| {
            target.scrape_pool == *job && target.discovered_labels.address == *address
        };
        let Some(target) = self.active_targets.iter().find(same) else {
            let dropped = |target: &DroppedTarget| {
                target.discovered_labels.address == *address && target.discovered_labels.job == *job
            };
            let dropped = self.dropped_targets.iter().any(dropped);
            return (!dropped).then(|| format!("{job} {address} is not discovered"));
        };
        match target.health.as_str() {
            "up" => None,
            "unknown" => Some(format!("{job} {address} is not scraped")),
            _ if !must_be_up => None,
            _ => Some(format!("{job} {address} is down: {}", target.last_error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(job: &str, address: &str, must_be_up: bool) -> ExpectedTarget {
        ExpectedTarget { job: job.to_owned(), address: address.to_owned(), must_be_up }
    }

    #[tokio::test]
    async fn a_redis_that_still_loads_its_data_is_not_ready() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answers = ["-LOADING Redis is loading the dataset in memory\r\n", "+PONG\r\n"];
        let serve = async {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        let ask = async { (pong(address).await, pong(address).await) };
        let ((loading, ready), ()) = futures_util::future::join(ask, serve).await;
        assert_eq!(loading.unwrap_err().to_string(), "it answered \"-LOADIN\"");
        ready.unwrap();
    }

    #[test]
    fn a_target_lacks_nothing_when_it_is_up_dropped_or_foreign_and_scraped() {
        let reply: Targets = serde_json::from_str(
            r#"{"activeTargets":[
                {"discoveredLabels":{"__address__":"a:1","job":"services"},"scrapePool":"services","health":"up","lastError":""},
                {"discoveredLabels":{"__address__":"b:1","job":"services"},"scrapePool":"services","health":"unknown","lastError":""},
                {"discoveredLabels":{"__address__":"c:1","job":"services"},"scrapePool":"services","health":"down","lastError":"refused"}],
               "droppedTargets":[{"discoveredLabels":{"__address__":"d:1","job":"services"}}]}"#,
        )
        .unwrap();
        let missing = |job, address, must| reply.missing(&expected(job, address, must));
        assert_eq!(missing("services", "a:1", true), None);
        assert_eq!(missing("services", "d:1", true), None);
        assert_eq!(missing("services", "c:1", false), None);
        assert_eq!(missing("services", "b:1", false).unwrap(), "services b:1 is not scraped");
        assert_eq!(missing("services", "c:1", true).unwrap(), "services c:1 is down: refused");
        assert_eq!(missing("node", "a:1", true).unwrap(), "node a:1 is not discovered");
    }
}
