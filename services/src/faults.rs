//! The fault switch: an authenticated admin route that makes a service answer 500 to a share of its
//! requests, for the length of a lease that ends by itself.
//!
//! The share is exact: errors are spread by error diffusion, not drawn. It never touches `/metrics`,
//! `/health`, itself, or what matches no route. Without a token there is no switch at all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{FromRequestParts, OptionalFromRequestParts, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::request::Parts;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::config::FaultSwitchConfig;
use crate::error::ApiError;
use crate::extract::{BODY_LIMIT_BYTES, BearerToken, Body};
use crate::secret::Secret;

const PATH: &str = "/admin/faults";
const LONGEST_LEASE: Duration = Duration::from_hours(1);
/// Ratios are counted in whole billionths, so that a sum of many never drifts.
const WHOLE: u64 = 1_000_000_000;

type Declared = (Method, &'static str, &'static [u16]);
const ROUTES: [Declared; 3] = [
    (Method::POST, PATH, &[200, 400, 401, 413, 415, 422]),
    (Method::GET, PATH, &[200, 401]),
    (Method::DELETE, PATH, &[200, 401]),
];

/// The switch of one service; clones share its state.
#[derive(Clone)]
pub(crate) struct FaultSwitch {
    token: Arc<Secret>,
    /// Takes orders and reports them, but injects nothing.
    inert: bool,
    /// Whether there may be a fault: spares the requests of a healthy service the lock.
    armed: Arc<AtomicBool>,
    fault: Arc<Mutex<Fault>>,
}

#[derive(Debug, Default)]
struct Fault {
    ratio: f64,
    billionths: u64,
    carried: u64,
    ends: Option<Instant>,
    injected: u64,
}

/// The body of `POST /admin/faults`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    errors: Errors,
    lease_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Errors {
    ratio: f64,
}

/// What the switch answers: the fault in force, what remains of its lease, and how many errors were
/// injected since the latest order.
#[derive(Debug, PartialEq, Serialize)]
struct FaultState {
    errors: Option<Errors>,
    lease_remaining_ms: u64,
    injected: u64,
}

impl FaultSwitch {
    pub(crate) fn new(config: &FaultSwitchConfig) -> Option<Self> {
        let token = Arc::new(config.token.clone()?);
        Some(Self { token, inert: config.inert, armed: Arc::default(), fault: Arc::default() })
    }

    /// Puts the switch before every route of the application.
    pub(crate) fn around(&self, application: Router) -> Router {
        let switch = self.clone();
        application.route_layer(from_fn(move |request, next| inject(switch.clone(), request, next)))
    }

    /// The admin routes, and their declaration.
    pub(crate) fn routes(&self) -> (Router, [Declared; 3]) {
        let methods = get(state).post(order).delete(clear);
        (Router::new().route(PATH, methods).with_state(self.clone()), ROUTES)
    }

    fn lock(&self) -> MutexGuard<'_, Fault> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn should_fail(&self) -> bool {
        if self.inert || !self.armed.load(Ordering::Relaxed) {
            return false;
        }
        let mut fault = self.lock();
        if !fault.in_force() {
            self.armed.store(false, Ordering::Relaxed);
            return false;
        }
        fault.next_fails()
    }

    fn set(&self, order: &Order) -> Result<FaultState, ApiError> {
        let Order { errors: Errors { ratio }, lease_ms } = *order;
        let lease = Duration::from_millis(lease_ms);
        if !(0.0..=1.0).contains(&ratio) {
            return Err(ApiError::invalid("errors.ratio must be 0 to 1"));
        }
        if lease.is_zero() || lease > LONGEST_LEASE {
            return Err(ApiError::invalid("lease_ms must be 1 to 3600000"));
        }
        let mut fault = self.lock();
        *fault = Fault {
            ratio,
            billionths: billionths(ratio),
            carried: 0,
            ends: Some(Instant::now() + lease),
            injected: 0,
        };
        self.armed.store(true, Ordering::Relaxed);
        Ok(fault.state())
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the ratio is 0 to 1")]
fn billionths(ratio: f64) -> u64 {
    (ratio * WHOLE as f64).round() as u64
}

impl Fault {
    fn remaining(&self) -> Duration {
        self.ends.map_or(Duration::ZERO, |ends| ends.saturating_duration_since(Instant::now()))
    }

    fn in_force(&self) -> bool {
        !self.remaining().is_zero()
    }

    fn next_fails(&mut self) -> bool {
        self.carried += self.billionths;
        let fails = self.carried >= WHOLE;
        if fails {
            self.carried -= WHOLE;
            self.injected += 1;
        }
        fails
    }

    fn state(&self) -> FaultState {
        let remaining = self.remaining();
        FaultState {
            errors: (!remaining.is_zero()).then_some(Errors { ratio: self.ratio }),
            lease_remaining_ms: u64::try_from(remaining.as_micros().div_ceil(1000)).unwrap_or(u64::MAX),
            injected: self.injected,
        }
    }
}

async fn inject(switch: FaultSwitch, request: Request, next: Next) -> Response {
    if !switch.should_fail() {
        return next.run(request).await;
    }
    // The body is read all the same: answering before it has arrived would cost the client its connection.
    let _ = axum::body::to_bytes(request.into_body(), BODY_LIMIT_BYTES).await;
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "injected").into_response()
}

async fn order(
    _: Authorized,
    State(switch): State<FaultSwitch>,
    Body(order): Body<Order>,
) -> Result<Json<FaultState>, ApiError> {
    let state = switch.set(&order)?;
    tracing::info!(ratio = order.errors.ratio, lease_ms = order.lease_ms, "fault switched on");
    Ok(Json(state))
}

async fn state(_: Authorized, State(switch): State<FaultSwitch>) -> Json<FaultState> {
    Json(switch.lock().state())
}

async fn clear(_: Authorized, State(switch): State<FaultSwitch>) -> Json<FaultState> {
    let mut fault = switch.lock();
    fault.ends = None;
    Json(fault.state())
}

/// Proof that the request carried the switch's token; to be extracted before anything else.
struct Authorized;

impl FromRequestParts<FaultSwitch> for Authorized {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, switch: &FaultSwitch) -> Result<Self, ApiError> {
        let bearer =
            <BearerToken as OptionalFromRequestParts<FaultSwitch>>::from_request_parts(parts, switch).await?;
        match bearer {
            Some(BearerToken(token)) if switch.token.matches(&token) => Ok(Self),
            _ => Err(ApiError::unauthorized("wrong or missing fault token")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switch(inert: bool) -> FaultSwitch {
        let config = FaultSwitchConfig { token: Some(Secret::new("token")), inert };
        FaultSwitch::new(&config).expect("there is a token")
    }

    fn order(ratio: f64, lease_ms: u64) -> Order {
        Order { errors: Errors { ratio }, lease_ms }
    }

    fn failures(switch: &FaultSwitch, requests: usize) -> usize {
        (0..requests).filter(|_| switch.should_fail()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn exactly_the_ordered_share_fails() {
        let switch = switch(false);
        for (ratio, requests, failed) in
            [(0.3, 100, 30), (0.1, 1000, 100), (1.0, 7, 7), (0.0, 50, 0), (0.5, 1, 0), (0.05, 100, 5)]
        {
            switch.set(&order(ratio, 1000)).expect("valid");
            assert_eq!(failures(&switch, requests), failed, "{ratio} of {requests}");
            assert_eq!(switch.lock().state().injected, failed as u64);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_lease_ends_by_itself_and_leaves_its_count() {
        let switch = switch(false);
        switch.set(&order(1.0, 10_000)).expect("valid");
        assert_eq!(failures(&switch, 3), 3);
        tokio::time::advance(Duration::from_millis(9_999)).await;
        assert_eq!(failures(&switch, 1), 1);
        assert_eq!(
            switch.lock().state(),
            FaultState { errors: Some(Errors { ratio: 1.0 }), lease_remaining_ms: 1, injected: 4 }
        );
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(failures(&switch, 3), 0);
        assert_eq!(switch.lock().state(), FaultState { errors: None, lease_remaining_ms: 0, injected: 4 });
    }

    #[tokio::test(start_paused = true)]
    async fn an_inert_switch_says_yes_and_injects_nothing() {
        let switch = switch(true);
        let state = switch.set(&order(1.0, 1000)).expect("valid");
        assert_eq!(state.errors, Some(Errors { ratio: 1.0 }));
        assert_eq!(failures(&switch, 10), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_impossible_order_is_refused() {
        let switch = switch(false);
        for (ratio, lease_ms) in [(1.1, 1000), (-0.1, 1000), (f64::NAN, 1000), (0.5, 0), (0.5, 3_600_001)] {
            assert!(switch.set(&order(ratio, lease_ms)).is_err(), "{ratio} for {lease_ms} ms");
        }
    }
}
