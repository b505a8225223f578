//! The fault switches of services: where they are, the token they ask for, and how they are told; and the exporter of
//! the harness, which takes orders for its own gauges.
//!
//! A switch takes one order for each kind of fault and keeps it under a lease. It does not know what a kind does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use firedrill_record::{Secret, ServiceName};
use reqwest::{Client, ClientBuilder, RequestBuilder};
use serde_json::{Map, Value};

use super::refuse::Refusal;
use crate::failure::FaultError;

/// What a service grants at most.
const LONGEST_LEASE: Duration = Duration::from_hours(1);
/// The undo comes first unless the harness is gone.
const MARGIN: Duration = Duration::from_secs(15);
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
const SHOWN_OF_A_REPLY: usize = 200;

/// The fault switches of a stack's services.
#[derive(Debug)]
pub(crate) struct Switches {
    services: BTreeMap<ServiceName, SocketAddr>,
    token: Secret,
    client: Client,
    refusals: Mutex<BTreeMap<ServiceName, Refusal>>,
    exporter: Option<String>,
}

impl Switches {
    pub(crate) fn new(services: BTreeMap<ServiceName, SocketAddr>, token: Secret) -> Self {
        let client = client(Client::builder());
        Self { services, token, client, refusals: Mutex::default(), exporter: None }
    }

    /// The same switches, with the harness's exporter at this host and port.
    pub(crate) fn with_exporter(self, address: String) -> Self {
        Self { exporter: Some(address), ..self }
    }

    /// Host and port of the harness's exporter, where there is one.
    pub(super) fn exporter(&self) -> Option<&str> {
        self.exporter.as_deref()
    }

    /// The client of all orders that need no connection of their own.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The switch of one service.
    pub(super) fn of<'a>(&'a self, service: &'a ServiceName) -> Result<Switch<'a>, FaultError> {
        let address = self.services.get(service).copied();
        let address = address.ok_or_else(|| FaultError::NoSuchService { service: service.to_string() })?;
        Ok(Switch { service, address, token: &self.token, client: self.client.clone() })
    }

    /// Services that refuse connections, each with the one connection that can end it.
    pub(super) fn refusals(&self) -> MutexGuard<'_, BTreeMap<ServiceName, Refusal>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn client(builder: ClientBuilder) -> Client {
    builder
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ANSWERED_WITHIN)
        .build()
        .expect("a client without TLS and proxy can always be built")
}

/// One kind of fault and its parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    /// In the words of the switch: `slow_body`.
    pub(super) kind: &'static str,
    pub(super) with: Value,
}

/// The fault switch of one service.
#[derive(Debug)]
pub(super) struct Switch<'a> {
    pub(super) service: &'a ServiceName,
    pub(super) address: SocketAddr,
    token: &'a Secret,
    client: Client,
}

impl Switch<'_> {
    /// The same switch, told through another client.
    pub(super) fn through(&self, client: Client) -> Self {
        Self { client, ..*self }
    }

    /// Whether a fault can be kept for so long.
    pub(super) fn check(&self, lasts: Duration) -> Result<(), FaultError> {
        if lasts <= LONGEST_LEASE {
            return Ok(());
        }
        let service = self.service.to_string();
        Err(FaultError::TooLong { service, seconds: lasts.as_secs(), limit: LONGEST_LEASE.as_secs() })
    }

    /// The lease that is asked for a fault that `lasts` so long.
    pub(super) fn granted(lasts: Duration) -> Duration {
        (lasts + MARGIN).min(LONGEST_LEASE)
    }

    /// Orders a fault.
    pub(super) async fn order(&self, order: &Order, lasts: Duration) -> Result<(), FaultError> {
        let lease_ms = milliseconds(Self::granted(lasts));
        let body = Map::from_iter([
            (order.kind.to_owned(), order.with.clone()),
            ("lease_ms".to_owned(), lease_ms.into()),
        ]);
        self.ask(format!("inject {}", order.kind), self.client.post(self.url()).json(&body)).await
    }

    /// Ends a fault.
    pub(super) async fn end(&self, kind: &str) -> Result<(), FaultError> {
        let url = format!("{}?kind={kind}", self.url());
        self.ask(format!("end {kind}"), self.client.delete(url)).await
    }

    /// Asks what is in force, for nothing but an exchange on the connection.
    pub(super) fn look(&self) -> RequestBuilder {
        self.client.get(self.url()).bearer_auth(self.token.expose())
    }

    fn url(&self) -> String {
        format!("http://{}/admin/faults", self.address)
    }

    async fn ask(&self, doing: String, request: RequestBuilder) -> Result<(), FaultError> {
        let service = self.service.to_string();
        let reply = match request.bearer_auth(self.token.expose()).send().await {
            Ok(reply) => reply,
            Err(source) => return Err(FaultError::Unreachable { doing, service, source }),
        };
        let status = reply.status();
        // Read to its end, or the connection could not be used again.
        let said = reply.text().await.unwrap_or_default();
        if status.is_success() {
            return Ok(());
        }
        let said = said.chars().take(SHOWN_OF_A_REPLY).collect();
        Err(FaultError::Refused { doing, service, status: status.as_u16(), said })
    }
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
