//! Every fault that one order to a service's switch begins and another ends.

use std::time::Duration;

use async_trait::async_trait;

use super::driver::{FaultDriver, Mended};
use super::switch::{Order, Switch};
use crate::failure::FaultError;

pub(super) struct Switched<'a> {
    switch: Switch<'a>,
    order: Order,
}

impl<'a> Switched<'a> {
    pub(super) fn new(switch: Switch<'a>, order: Order) -> Self {
        Self { switch, order }
    }
}

#[async_trait]
impl FaultDriver for Switched<'_> {
    fn held_by(&self) -> &str {
        self.switch.service.as_str()
    }

    fn check(&self, lasts: Duration) -> Result<(), FaultError> {
        self.switch.check(lasts)
    }

    async fn inject(&self, lasts: Duration) -> Result<Option<String>, FaultError> {
        self.switch.order(&self.order, lasts).await?;
        Ok(None)
    }

    async fn undo(&self) -> Result<Mended, FaultError> {
        self.switch.end(self.order.kind).await?;
        Ok(Mended::by_its_switch())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use firedrill_drill::{BadMetrics, Fault};
    use firedrill_record::Secret;
    use serde_json::{Value, json};
    use wiremock::matchers::{body_json, header, method, path, query_param};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::super::driver::driver;
    use super::super::kill::tests::NoParts;
    use super::super::switch::Switches;
    use super::*;

    fn switches(server: &MockServer) -> Switches {
        let services = BTreeMap::from([("user".parse().unwrap(), *server.address())]);
        Switches::new(services, Secret::new("the-fault-token"))
    }

    const LASTS: Duration = Duration::from_mins(8);

    fn errors(service: &str) -> Fault {
        Fault::Errors { service: service.parse().unwrap(), ratio: "30%".parse().unwrap(), lasts: LASTS }
    }

    /// Every fault of this kind, with the kind and the parameters that the switch must get.
    fn orders() -> Vec<(Fault, &'static str, Value)> {
        let user = || "user".parse().unwrap();
        let (added, lasts) = (Duration::from_millis(800), LASTS);
        let latency = |route| Fault::Latency { service: user(), added, route, lasts };
        let bad = |how| Fault::BadMetrics { service: user(), how, lasts };
        vec![
            (errors("user"), "errors", json!({"ratio": 0.3})),
            (latency(None), "latency", json!({"added_ms": 800})),
            (
                latency(Some("/users/{id}".to_owned())),
                "latency",
                json!({"added_ms": 800, "route": "/users/{id}"}),
            ),
            (Fault::Hang { service: user(), lasts }, "hang", json!({})),
            (
                Fault::SlowBody { service: user(), takes: Duration::from_secs(2), lasts },
                "slow_body",
                json!({"takes_ms": 2000}),
            ),
            (
                Fault::Memory { service: user(), grow: 64 << 20, lasts },
                "memory",
                json!({"bytes": 67_108_864}),
            ),
            (
                Fault::Cpu { service: user(), busy: "50%".parse().unwrap(), lasts },
                "cpu",
                json!({"share": 0.5}),
            ),
            (bad(BadMetrics::Missing), "bad_metrics", json!({"how": "missing"})),
            (bad(BadMetrics::WrongLabels), "bad_metrics", json!({"how": "wrong_labels"})),
            (bad(BadMetrics::Garbage), "bad_metrics", json!({"how": "garbage"})),
        ]
    }

    #[tokio::test]
    async fn each_fault_is_ordered_by_its_kind_under_a_lease_a_little_longer_and_ended_by_its_kind() {
        for (fault, kind, with) in orders() {
            let server = MockServer::start().await;
            let token = || header("authorization", "Bearer the-fault-token");
            Mock::given(method("POST"))
                .and(path("/admin/faults"))
                .and(token())
                .and(body_json(json!({kind: with, "lease_ms": 23_000})))
                .respond_with(ResponseTemplate::new(200))
                .expect(1)
                .mount(&server)
                .await;
            Mock::given(method("DELETE"))
                .and(path("/admin/faults"))
                .and(query_param("kind", kind))
                .and(token())
                .respond_with(ResponseTemplate::new(200))
                .expect(1)
                .mount(&server)
                .await;
            let switches = switches(&server);
            let driver = driver(&fault, &switches, &NoParts).unwrap();
            assert_eq!(driver.inject(Duration::from_secs(8)).await.unwrap(), None, "{fault}");
            assert_eq!(driver.undo().await.unwrap().how, "its switch", "{fault}");
        }
    }

    #[tokio::test]
    async fn a_refusal_is_an_error_that_shows_the_reply_and_not_the_token() {
        let server = MockServer::start().await;
        Mock::given(method("DELETE"))
            .respond_with(ResponseTemplate::new(401).set_body_string("no such token"))
            .mount(&server)
            .await;
        let (fault, switches) = (errors("user"), switches(&server));
        let error = driver(&fault, &switches, &NoParts).unwrap().undo().await.unwrap_err();
        assert_eq!(error.to_string(), "end errors on user: its fault switch answered 401: no such token");
        assert!(!format!("{error:?}").contains("the-fault-token"));
    }

    #[tokio::test]
    async fn a_service_that_is_not_there_and_a_lease_that_is_too_long_are_refused_before_anything_is_done() {
        let server = MockServer::start().await;
        let switches = switches(&server);
        let missing = errors("mail");
        let error = driver(&missing, &switches, &NoParts).err().unwrap();
        assert!(matches!(error, FaultError::NoSuchService { .. }), "{error}");
        let fault = errors("user");
        let error =
            driver(&fault, &switches, &NoParts).unwrap().check(Duration::from_secs(3601)).unwrap_err();
        assert!(matches!(error, FaultError::TooLong { seconds: 3601, limit: 3600, .. }), "{error}");
        assert_eq!(server.received_requests().await.unwrap().len(), 0);
    }
}
