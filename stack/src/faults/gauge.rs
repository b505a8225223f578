//! A synthetic gauge of the harness's own exporter is set.
//!
//! The exporter ends it by its own clock, to the scrape: undoing asks when that was, and ends it where it was not yet.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::json;

use super::driver::{FaultDriver, Mended};
use super::switch::{Switches, milliseconds};
use crate::failure::FaultError;

pub(super) struct Gauge<'a> {
    name: &'a str,
    value: f64,
    /// In the words of undo ledgers: the exporter is the harness.
    held_by: &'a str,
    switches: &'a Switches,
}

/// What the exporter answers.
#[derive(Debug, Deserialize)]
struct Until {
    until: Timestamp,
}

impl<'a> Gauge<'a> {
    pub(super) fn new(name: &'a str, value: f64, held_by: &'a str, switches: &'a Switches) -> Self {
        Self { name, value, held_by, switches }
    }

    fn url(&self) -> Result<String, FaultError> {
        let service = || self.held_by.to_owned();
        let exporter =
            self.switches.exporter().ok_or_else(|| FaultError::NoSuchService { service: service() })?;
        Ok(format!("http://{exporter}/planted/{}", self.name))
    }

    async fn ask(&self, doing: &str, request: RequestBuilder) -> Result<Until, FaultError> {
        let doing = format!("{doing} the gauge {}", self.name);
        let service = self.held_by.to_owned();
        let unreachable =
            |source| FaultError::Unreachable { doing: doing.clone(), service: service.clone(), source };
        let reply = request.send().await.map_err(unreachable)?;
        let status = reply.status();
        if status.is_success() {
            return reply.json().await.map_err(unreachable);
        }
        let said = "no setting of a gauge".to_owned();
        Err(FaultError::Refused { doing, service, status: status.as_u16(), said })
    }
}

#[async_trait]
impl FaultDriver for Gauge<'_> {
    fn held_by(&self) -> &str {
        self.held_by
    }

    fn check(&self, _lasts: Duration) -> Result<(), FaultError> {
        self.url().map(|_| ())
    }

    async fn inject(&self, lasts: Duration) -> Result<Option<String>, FaultError> {
        let order = json!({"value": self.value, "for_ms": milliseconds(lasts)});
        let request = self.switches.client().put(self.url()?).json(&order);
        self.ask("set", request).await.map(|_| None)
    }

    async fn undo(&self) -> Result<Mended, FaultError> {
        let Until { until } = self.ask("end", self.switches.client().delete(self.url()?)).await?;
        Ok(Mended { how: "the exporter's clock".to_owned(), witnessed: None, ended: Some(until) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use firedrill_drill::Fault;
    use firedrill_record::Secret;
    use wiremock::matchers::{body_json, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::super::driver::driver;
    use super::super::kill::tests::NoParts;
    use super::*;

    fn fault() -> Fault {
        Fault::Gauge { name: "depth".to_owned(), value: 2.5, lasts: Duration::from_mins(1) }
    }

    fn switches() -> Switches {
        Switches::new(BTreeMap::new(), Secret::new("the-fault-token"))
    }

    #[tokio::test]
    async fn a_gauge_is_set_for_its_time_and_its_end_is_the_exporters() {
        let server = MockServer::start().await;
        let reply = ResponseTemplate::new(200).set_body_json(json!({"until": "2026-11-22T14:23:01.375Z"}));
        Mock::given(method("PUT"))
            .and(path("/planted/depth"))
            .and(body_json(json!({"value": 2.5, "for_ms": 1375})))
            .respond_with(reply.clone())
            .expect(1)
            .mount(&server)
            .await;
        Mock::given(method("DELETE"))
            .and(path("/planted/depth"))
            .respond_with(reply)
            .expect(1)
            .mount(&server)
            .await;
        let (fault, switches) = (fault(), switches().with_exporter(server.address().to_string()));
        let driver = driver(&fault, &switches, &NoParts).unwrap();
        assert_eq!(driver.held_by(), "firedrill");
        driver.check(Duration::from_mins(1)).unwrap();
        assert_eq!(driver.inject(Duration::from_millis(1375)).await.unwrap(), None);
        let ended = driver.undo().await.unwrap().ended;
        assert_eq!(ended, Some("2026-11-22T14:23:01.375Z".parse().unwrap()));
    }

    #[tokio::test]
    async fn an_exporter_that_is_not_there_or_says_no_is_an_error() {
        let (fault, nowhere) = (fault(), switches());
        let error = driver(&fault, &nowhere, &NoParts).unwrap().check(Duration::ZERO).unwrap_err();
        assert!(matches!(error, FaultError::NoSuchService { .. }), "{error}");
        let server = MockServer::start().await;
        let switches = switches().with_exporter(server.address().to_string());
        let error = driver(&fault, &switches, &NoParts).unwrap().undo().await.unwrap_err();
        assert!(matches!(error, FaultError::Refused { status: 404, .. }), "{error}");
    }
}
