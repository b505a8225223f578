//! What counters and histograms gained between two snapshots, and what the ledger says they should have gained.
//!
//! Only raw counter values are used, never `increase`, which extrapolates.

use std::collections::BTreeMap;

use firedrill_record::{Ledger, LedgerRow, Route, ServiceName};

use crate::evidence::{CounterSnapshot, Series};

/// Routes that the harness and Prometheus use themselves while they look: they move all the time.
pub(crate) const OWN_ROUTES: [&str; 2] = ["/metrics", "/health"];

/// Where the notification service receives Alertmanager's webhooks.
pub(crate) const WEBHOOK_ROUTE: &str = "/webhook/alertmanager";

/// Where the notification service serves what it received to the harness.
const POLLED_ROUTE: &str = "/api/notifications";

/// Whether a route is left out of the comparison with the ledger.
pub(crate) fn is_own_route(route: &str) -> bool {
    OWN_ROUTES.contains(&route) || route.starts_with("/admin")
}

/// What one route's counter gained, by status.
pub(crate) type Gains = BTreeMap<Route, BTreeMap<u16, u64>>;

/// The route of a series with the labels service, method and route; none for series of no service, and of routes that
/// are not compared.
pub(crate) fn route_of(series: &Series) -> Option<Route> {
    let service = series.label("service").parse::<ServiceName>().ok()?;
    let route = series.label("route");
    (!is_own_route(route)).then(|| Route {
        service,
        method: series.label("method").into(),
        route: route.into(),
    })
}

/// What one series gained since `before`; a series that was not there counts from 0. None when it has no sample.
///
/// # Errors
/// A sentence, when it is lower than before or not a whole number.
pub(crate) fn gained(series: &Series, before: &CounterSnapshot) -> Result<Option<u64>, String> {
    let Some(last) = series.samples.last() else { return Ok(None) };
    difference(series, value_at(series, before), last.value).map(Some)
}

/// The value of `series` in a snapshot, 0 when it was not there.
pub(crate) fn value_at(series: &Series, snapshot: &CounterSnapshot) -> f64 {
    let same = snapshot.series.iter().find(|one| one.labels == series.labels);
    same.and_then(|one| one.samples.last()).map_or(0.0, |sample| sample.value)
}

/// What a counter gained that went from `was` to `is`.
///
/// # Errors
/// A sentence, when it is lower than before or not a whole number.
pub(crate) fn difference(series: &Series, was: f64, is: f64) -> Result<u64, String> {
    let gained = is - was;
    if gained < 0.0 || gained.fract() != 0.0 || !gained.is_finite() {
        return Err(format!("{} went from {was} to {is}", name_of(series)));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, finite and not negative by the test above"
    )]
    Ok(gained as u64)
}

/// A series as people write it.
pub(crate) fn name_of(series: &Series) -> String {
    let labels: Vec<String> = series
        .labels
        .iter()
        .filter(|(name, _)| !["__name__", "job", "instance"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    format!("{}{{{}}}", series.label("__name__"), labels.join(", "))
}

/// What the counter of one route must show, by the ledger: for each status so many, and `unknown` more at most in all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Requests that certainly closed with a status.
    pub closed: BTreeMap<u16, u64>,
    /// Requests that may have been counted with any status, or not at all.
    pub unknown: u64,
}

impl Expected {
    fn close(&mut self, status: u16, count: u64) {
        *self.closed.entry(status).or_default() += count;
    }
}

/// Calls of services that are in no row of the ledger.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unledgered<'a> {
    /// The service that is told of alerts and serves what it was told.
    pub notification_service: &'a ServiceName,
    /// Webhooks that the witness beside its own saw sent.
    pub webhooks: u64,
    /// Attempts of Alertmanager that failed: each may or may not have reached the service.
    pub failed_webhooks: u64,
    /// The harness's own reads, by status, 0 for those without an answer.
    pub polls: &'a BTreeMap<u16, u64>,
}

/// What the counters of all routes must show: the ledger's rows that `counts`, and what is in none.
pub(crate) fn expected(
    ledger: &Ledger,
    counts: impl Fn(&LedgerRow) -> bool,
    unledgered: Unledgered<'_>,
) -> BTreeMap<Route, Expected> {
    let mut all: BTreeMap<Route, Expected> = BTreeMap::new();
    for row in ledger.rows.iter().filter(|row| counts(row)) {
        let entry = all.entry(row.route.clone()).or_default();
        for (status, count) in &row.closed {
            entry.close(*status, *count);
        }
        entry.unknown += row.unknown;
    }
    let Unledgered { notification_service, webhooks, failed_webhooks, polls } = unledgered;
    let of = |method: &str, route: &str| Route {
        service: notification_service.clone(),
        method: method.into(),
        route: route.into(),
    };
    let told = all.entry(of("POST", WEBHOOK_ROUTE)).or_default();
    told.close(200, webhooks.saturating_sub(failed_webhooks));
    // A try that failed may have been counted, and what was told in the end may be one of those that failed.
    told.unknown += failed_webhooks + webhooks.min(failed_webhooks);
    let read = all.entry(of("GET", POLLED_ROUTE)).or_default();
    for (status, count) in polls {
        match status {
            0 => read.unknown += count,
            status => read.close(*status, *count),
        }
    }
    all
}
