//! The admin routes: who may give orders, and putting them in force.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, FromRequestParts, OptionalFromRequestParts, State};
use axum::middleware::from_fn;
use axum::routing::get;
use axum::{Json, Router};
use http::Method;
use http::request::Parts;
use metrics_plugin::Distortion;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::bad_metrics::BadMetrics;
use super::cpu::BusyThread;
use super::errors::Errors;
use super::hang::Hang;
use super::latency::Latency;
use super::memory::Ballast;
use super::order::{Kind, Order, OrderBody};
use super::refuse;
use super::requests::RequestFaults;
use super::slot::Slot;
use super::slow_body::SlowBody;
use crate::config::FaultSwitchConfig;
use crate::error::ApiError;
use crate::extract::{BearerToken, Body, Parameters};
use crate::secret::Secret;
use crate::server::{ConnectionId, RefusalSwitch, Refusing};

const PATH: &str = "/admin/faults";

/// The declaration of the admin routes.
pub(crate) const ROUTES: [(Method, &str, &[u16]); 3] = [
    (Method::POST, PATH, &[200, 400, 401, 413, 415, 422, 503]),
    (Method::GET, PATH, &[200, 401]),
    (Method::DELETE, PATH, &[200, 401, 422]),
];

/// The switch of one service; clones share its state.
#[derive(Clone)]
pub(crate) struct FaultSwitch(Arc<Switch>);

struct Switch {
    token: Secret,
    /// Takes orders and reports them, but injects nothing.
    inert: bool,
    /// The application's route templates.
    templates: Vec<String>,
    distortion: Distortion,
    refusal: RefusalSwitch,
    requests: RequestFaults,
    refuse: Slot<Refusing>,
    memory: Slot<Ballast>,
    cpu: Slot<BusyThread>,
    bad_metrics: Slot<BadMetrics>,
    /// One order at a time.
    ordering: Mutex<()>,
}

impl FaultSwitch {
    /// None without a token. `templates` are the application's routes.
    pub(crate) fn new(
        config: &FaultSwitchConfig,
        templates: Vec<String>,
        distortion: Distortion,
        refusal: RefusalSwitch,
    ) -> Option<Self> {
        Some(Self(Arc::new(Switch {
            token: config.token.clone()?,
            inert: config.inert,
            templates,
            distortion,
            refusal,
            requests: RequestFaults::default(),
            refuse: Slot::default(),
            memory: Slot::default(),
            cpu: Slot::default(),
            bad_metrics: Slot::default(),
            ordering: Mutex::default(),
        })))
    }

    /// Puts the switch before every route of the application, and adds the admin routes.
    pub(crate) fn around(&self, application: Router) -> Router {
        let switch = self.clone();
        let admin = Router::new().route(PATH, get(state).post(order).delete(end)).with_state(self.clone());
        application
            .route_layer(from_fn(move |request, next| {
                let switch = switch.clone();
                async move { switch.0.requests.answer(request, next).await }
            }))
            .merge(admin)
    }
}

impl Switch {
    async fn obey(&self, order: Order, lease: Duration, from: ConnectionId) -> Result<(), ApiError> {
        let _one_at_a_time = self.ordering.lock().await;
        let (requests, active) = (&self.requests, !self.inert);
        match order {
            Order::Errors(order) => {
                order.check()?;
                requests.errors.put(&order, active.then(|| Errors::new(&order)), lease);
            }
            Order::Latency(order) => {
                order.check(&self.templates)?;
                requests.latency.put(&order, active.then(|| Latency::new(&order)), lease);
            }
            Order::Hang(order) => requests.hang.put(&order, active.then(Hang::new), lease),
            Order::SlowBody(order) => {
                order.check()?;
                requests.slow_body.put(&order, active.then(|| SlowBody::new(&order)), lease);
            }
            Order::Refuse(order) => {
                let refusing = if active { Some(refuse::begin(&self.refusal, from).await?) } else { None };
                self.refuse.put(&order, refusing, lease);
            }
            Order::Memory(order) => {
                order.check()?;
                // Before the next is taken: never both.
                self.memory.end();
                let ballast = if active { Some(order.begin().await?) } else { None };
                self.memory.put(&order, ballast, lease);
            }
            Order::Cpu(order) => {
                order.check()?;
                self.cpu.end();
                let busy = if active { Some(order.begin()?) } else { None };
                self.cpu.put(&order, busy, lease);
            }
            Order::BadMetrics(order) => {
                self.bad_metrics.end();
                let bad = active.then(|| BadMetrics::begin(&order, &self.distortion));
                self.bad_metrics.put(&order, bad, lease);
            }
        }
        Ok(())
    }

    fn end(&self, kind: Kind) {
        match kind {
            Kind::Errors => self.requests.errors.end(),
            Kind::Latency => self.requests.latency.end(),
            Kind::Hang => self.requests.hang.end(),
            Kind::SlowBody => self.requests.slow_body.end(),
            Kind::Refuse => self.refuse.end(),
            Kind::Memory => self.memory.end(),
            Kind::Cpu => self.cpu.end(),
            Kind::BadMetrics => self.bad_metrics.end(),
        }
    }

    /// What is in force, by kind.
    fn state(&self) -> Json<Value> {
        let of = |kind| match kind {
            Kind::Errors => self.requests.errors.state(),
            Kind::Latency => self.requests.latency.state(),
            Kind::Hang => self.requests.hang.state(),
            Kind::SlowBody => self.requests.slow_body.state(),
            Kind::Refuse => self.refuse.state(),
            Kind::Memory => self.memory.state(),
            Kind::Cpu => self.cpu.state(),
            Kind::BadMetrics => self.bad_metrics.state(),
        };
        let in_force: Map<String, Value> = Kind::ALL
            .into_iter()
            .filter_map(|kind| of(kind).map(|state| (kind.as_str().to_owned(), state)))
            .collect();
        Json(Value::Object(in_force))
    }
}

async fn order(
    _: Authorized,
    State(FaultSwitch(switch)): State<FaultSwitch>,
    Extension(from): Extension<ConnectionId>,
    Body(order): Body<OrderBody>,
) -> Result<Json<Value>, ApiError> {
    let (order, lease) = order.checked()?;
    let kind = order.kind();
    switch.obey(order, lease, from).await?;
    tracing::info!(kind = kind.as_str(), ?lease, "fault switched on");
    Ok(switch.state())
}

async fn state(_: Authorized, State(FaultSwitch(switch)): State<FaultSwitch>) -> Json<Value> {
    switch.state()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ended {
    kind: Option<Kind>,
}

async fn end(
    _: Authorized,
    State(FaultSwitch(switch)): State<FaultSwitch>,
    Parameters(Ended { kind }): Parameters<Ended>,
) -> Json<Value> {
    let _one_at_a_time = switch.ordering.lock().await;
    match kind {
        Some(kind) => switch.end(kind),
        None => Kind::ALL.into_iter().for_each(|kind| switch.end(kind)),
    }
    tracing::info!(kind = kind.map_or("all", Kind::as_str), "fault switched off");
    switch.state()
}

/// Proof that the request carried the switch's token; to be extracted before anything else.
struct Authorized;

impl FromRequestParts<FaultSwitch> for Authorized {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, switch: &FaultSwitch) -> Result<Self, ApiError> {
        let bearer =
            <BearerToken as OptionalFromRequestParts<FaultSwitch>>::from_request_parts(parts, switch).await?;
        match bearer {
            Some(BearerToken(token)) if switch.0.token.matches(&token) => Ok(Self),
            _ => Err(ApiError::unauthorized("wrong or missing fault token")),
        }
    }
}
