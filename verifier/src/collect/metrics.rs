//! The harness's own look at services' `/metrics`, as a scraper would see them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use firedrill_record::ServiceName;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::CONTENT_TYPE;

use super::watch::chain;
use crate::counters::is_own_route;
use crate::evidence::{MetricsFound, MetricsLook};

/// From one look to the next, at least.
const EVERY: SignedDuration = SignedDuration::from_secs(1);

/// Looks at `/metrics`, at most once a second.
#[derive(Debug, Default)]
pub(super) struct MetricsWatch {
    looked: Option<Timestamp>,
}

impl MetricsWatch {
    /// One look at each of `services`; none when the last one was less than a second ago.
    pub(super) async fn look(
        &mut self,
        http: &reqwest::Client,
        services: &BTreeMap<ServiceName, SocketAddr>,
    ) -> Vec<MetricsLook> {
        let now = Timestamp::now();
        if self.looked.is_some_and(|before| now.duration_since(before) < EVERY) {
            return Vec::new();
        }
        self.looked = Some(now);
        let mut looks = Vec::with_capacity(services.len());
        for (service, address) in services {
            let at = Timestamp::now();
            let found = found(http, *address).await.unwrap_or_else(|why| MetricsFound::Nothing(chain(&why)));
            looks.push(MetricsLook { at, service: service.clone(), found });
        }
        looks
    }
}

async fn found(http: &reqwest::Client, address: SocketAddr) -> Result<MetricsFound, reqwest::Error> {
    let answer = http.get(format!("http://{address}/metrics")).send().await?;
    let status = answer.status();
    let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let body = answer.bytes().await?;
    Ok(match std::str::from_utf8(&body) {
        _ if status != 200 => MetricsFound::Nothing(format!("status {status}")),
        Ok(text) => read(&content_type, text),
        Err(error) => MetricsFound::Garbage(error.to_string()),
    })
}

fn read(content_type: &str, text: &str) -> MetricsFound {
    match firedrill_exposition::parse(content_type, text) {
        Ok(exposition) => {
            let requests = exposition.samples().filter(|sample| sample.name == "http_requests_total");
            let routes = requests.filter_map(|sample| sample.labels.get("route"));
            let routes: BTreeSet<String> = routes.filter(|route| !is_own_route(route)).cloned().collect();
            MetricsFound::Routes(routes)
        }
        Err(error) => MetricsFound::Garbage(chain(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "text/plain; version=0.0.4";

    #[test]
    fn routes_are_read_and_what_is_no_exposition_is_garbage() {
        let text = "# TYPE http_requests_total counter\nhttp_requests_total{route=\"/users\"} 1\nhttp_requests_total{route=\"/metrics\"} 1\n";
        assert_eq!(read(TEXT, text), MetricsFound::Routes(BTreeSet::from(["/users".to_owned()])));
        assert_eq!(read(TEXT, "process_open_fds 3\n"), MetricsFound::Routes(BTreeSet::new()));
        assert!(matches!(read(TEXT, "<html>\n"), MetricsFound::Garbage(_)));
    }

    #[tokio::test]
    async fn a_service_that_does_not_listen_says_nothing() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let services = BTreeMap::from([("user".parse().unwrap(), address)]);
        let looks = MetricsWatch::default().look(&reqwest::Client::new(), &services).await;
        assert!(matches!(looks[0].found, MetricsFound::Nothing(_)), "{looks:?}");
    }
}
