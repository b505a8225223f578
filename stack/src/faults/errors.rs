//! A share of a service's requests fails with 500, by the service's own fault switch.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use firedrill_drill::Ratio;
use firedrill_record::ServiceName;
use serde_json::json;

use super::driver::FaultDriver;
use super::switches::Switches;
use crate::failure::FaultError;

/// What a service grants at most.
const LONGEST_LEASE: Duration = Duration::from_hours(1);
/// The undo comes first unless the harness is gone.
const MARGIN: Duration = Duration::from_secs(10);
const SHOWN_OF_A_REPLY: usize = 200;

pub(super) struct Errors<'a> {
    service: &'a ServiceName,
    ratio: Ratio,
    address: SocketAddr,
    switches: &'a Switches,
}

impl<'a> Errors<'a> {
    pub(super) fn new(
        service: &'a ServiceName,
        ratio: Ratio,
        switches: &'a Switches,
    ) -> Result<Self, FaultError> {
        let address = switches.services.get(service).copied();
        let address = address.ok_or_else(|| FaultError::NoSuchService { service: service.to_string() })?;
        Ok(Self { service, ratio, address, switches })
    }

    async fn ask(&self, doing: String, order: Option<serde_json::Value>) -> Result<(), FaultError> {
        let Switches { client, token, .. } = self.switches;
        let url = format!("http://{}/admin/faults", self.address);
        let request = match order {
            Some(order) => client.post(url).json(&order),
            None => client.delete(url),
        };
        let service = self.service.to_string();
        let reply = match request.bearer_auth(token.expose()).send().await {
            Ok(reply) => reply,
            Err(source) => return Err(FaultError::Unreachable { doing, service, source }),
        };
        let status = reply.status();
        if status.is_success() {
            return Ok(());
        }
        let said = reply.text().await.unwrap_or_default().chars().take(SHOWN_OF_A_REPLY).collect();
        Err(FaultError::Refused { doing, service, status: status.as_u16(), said })
    }
}

#[async_trait]
impl FaultDriver for Errors<'_> {
    fn held_by(&self) -> &str {
        self.service.as_str()
    }

    fn check(&self, lease: Duration) -> Result<(), FaultError> {
        if lease <= LONGEST_LEASE {
            return Ok(());
        }
        let service = self.service.to_string();
        Err(FaultError::TooLong { service, seconds: lease.as_secs(), limit: LONGEST_LEASE.as_secs() })
    }

    async fn inject(&self, lease: Duration) -> Result<(), FaultError> {
        let lease = (lease + MARGIN).min(LONGEST_LEASE);
        let order = json!({
            "errors": {"ratio": self.ratio.share()},
            "lease_ms": u64::try_from(lease.as_millis()).unwrap_or(u64::MAX),
        });
        self.ask(format!("inject errors {}", self.ratio), Some(order)).await
    }

    async fn undo(&self) -> Result<(), FaultError> {
        self.ask("end the errors".to_owned(), None).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use firedrill_drill::Fault;
    use firedrill_record::Secret;
    use wiremock::matchers::{body_json, header, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::super::driver;
    use super::*;

    fn switches(server: &MockServer) -> Switches {
        let services = BTreeMap::from([("user".parse().unwrap(), *server.address())]);
        Switches::new(services, Secret::new("the-fault-token"))
    }

    fn errors(service: &str) -> Fault {
        Fault::Errors {
            service: service.parse().unwrap(),
            ratio: "30%".parse().unwrap(),
            lasts: Duration::from_mins(8),
        }
    }

    #[tokio::test]
    async fn the_switch_gets_the_ratio_and_a_lease_a_little_longer_than_the_fault() {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/admin/faults"))
            .and(header("authorization", "Bearer the-fault-token"))
            .and(body_json(json!({"errors": {"ratio": 0.3}, "lease_ms": 18_000})))
            .respond_with(ResponseTemplate::new(200))
            .expect(1)
            .mount(&server)
            .await;
        let (fault, switches) = (errors("user"), switches(&server));
        driver(&fault, &switches).unwrap().inject(Duration::from_secs(8)).await.unwrap();
    }

    #[tokio::test]
    async fn a_refusal_is_an_error_that_shows_the_reply_and_not_the_token() {
        let server = MockServer::start().await;
        Mock::given(method("DELETE"))
            .respond_with(ResponseTemplate::new(401).set_body_string("no such token"))
            .mount(&server)
            .await;
        let (fault, switches) = (errors("user"), switches(&server));
        let error = driver(&fault, &switches).unwrap().undo().await.unwrap_err();
        assert_eq!(error.to_string(), "end the errors on user: its fault switch answered 401: no such token");
        assert!(!format!("{error:?}").contains("the-fault-token"));
    }

    #[tokio::test]
    async fn a_service_that_is_not_there_and_a_lease_that_is_too_long_are_refused_before_anything_is_done() {
        let server = MockServer::start().await;
        let switches = switches(&server);
        assert!(matches!(driver(&errors("mail"), &switches), Err(FaultError::NoSuchService { .. })));
        let fault = errors("user");
        let error = driver(&fault, &switches).unwrap().check(Duration::from_secs(3601)).unwrap_err();
        assert!(matches!(error, FaultError::TooLong { seconds: 3601, limit: 3600, .. }), "{error}");
        assert_eq!(server.received_requests().await.unwrap().len(), 0);
    }
}
