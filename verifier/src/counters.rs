//! What counters and histograms gained between two snapshots, and what the ledger says they should have gained.
//!
//! Only raw counter values are used, never `increase`, which extrapolates.

use std::collections::BTreeMap;

use firedrill_record::{Ledger, Route, ServiceName};

use crate::evidence::CounterSnapshot;

/// Routes that the harness and Prometheus use themselves while they look: they move all the time.
pub(crate) const OWN_ROUTES: [&str; 2] = ["/metrics", "/health"];

/// Where the notification service receives Alertmanager's webhooks.
pub(crate) const WEBHOOK_ROUTE: &str = "/webhook/alertmanager";

/// Whether a route is left out of the comparison with the ledger.
pub(crate) fn is_own_route(route: &str) -> bool {
    OWN_ROUTES.contains(&route) || route.starts_with("/admin")
}

/// What one route's counter gained, by status.
pub(crate) type Gains = BTreeMap<Route, BTreeMap<u16, u64>>;

/// What was gained by the counter `metric`, which has the labels service, method, route and status.
///
/// # Errors
/// A sentence, when a counter is lower than before or not a whole number.
pub(crate) fn gains(
    metric: &str,
    before: &CounterSnapshot,
    after: &CounterSnapshot,
) -> Result<Gains, String> {
    let mut gains = Gains::new();
    for series in after.series.iter().filter(|one| one.label("__name__") == metric) {
        let Ok(service) = series.label("service").parse::<ServiceName>() else { continue };
        if is_own_route(series.label("route")) {
            continue;
        }
        let Some(gained) = gained(series, before)? else { continue };
        let status = series.label("status").parse().map_err(|_| {
            format!("{metric} of {service} has the status label {:?}, not a number", series.label("status"))
        })?;
        let route =
            Route { service, method: series.label("method").into(), route: series.label("route").into() };
        *gains.entry(route).or_default().entry(status).or_default() += gained;
    }
    Ok(gains)
}

/// What one series gained since `before`; a series that was not there counts from 0. None when it has no sample.
pub(crate) fn gained(
    series: &crate::evidence::Series,
    before: &CounterSnapshot,
) -> Result<Option<u64>, String> {
    let Some(last) = series.samples.last() else { return Ok(None) };
    let was = before
        .series
        .iter()
        .find(|one| one.labels == series.labels)
        .and_then(|one| one.samples.last())
        .map_or(0.0, |sample| sample.value);
    let gained = last.value - was;
    if gained < 0.0 || gained.fract() != 0.0 || !gained.is_finite() {
        return Err(format!("{} went from {was} to {}", name_of(series), last.value));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, finite and not negative by the test above"
    )]
    Ok(Some(gained as u64))
}

/// A series as people write it.
pub(crate) fn name_of(series: &crate::evidence::Series) -> String {
    let labels: Vec<String> = series
        .labels
        .iter()
        .filter(|(name, _)| !["__name__", "job", "instance"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    format!("{}{{{}}}", series.label("__name__"), labels.join(", "))
}

/// What the counter of one route must show, by the ledger: for each status so many at least, and `unknown` more at most
/// in all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Requests that certainly closed with a status.
    pub closed: BTreeMap<u16, u64>,
    /// Requests that may have been counted with any status, or not at all.
    pub unknown: u64,
}

/// What the counters of all routes must show: the ledger's rows, direct and implied, the `webhooks` that the witness
/// saw sent, of which `failed_notifications` may not have arrived, and the harness's own polls.
pub(crate) fn expected(
    ledger: &Ledger,
    notification_service: &ServiceName,
    webhooks: u64,
    notification_polls: &BTreeMap<u16, u64>,
    failed_notifications: u64,
) -> BTreeMap<Route, Expected> {
    let mut all: BTreeMap<Route, Expected> = BTreeMap::new();
    for row in &ledger.rows {
        let entry = all.entry(row.route.clone()).or_default();
        for (status, count) in &row.closed {
            *entry.closed.entry(*status).or_default() += count;
        }
        entry.unknown += row.unknown;
    }
    // Alertmanager tells the witness each time it tells the receiver beside it.
    let webhook =
        Route { service: notification_service.clone(), method: "POST".into(), route: WEBHOOK_ROUTE.into() };
    let entry = all.entry(webhook).or_default();
    // Each failed attempt may or may not have reached the receiver.
    *entry.closed.entry(200).or_default() += webhooks.saturating_sub(failed_notifications);
    entry.unknown += failed_notifications;
    let polls = Route {
        service: notification_service.clone(),
        method: "GET".into(),
        route: "/api/notifications".into(),
    };
    let entry = all.entry(polls).or_default();
    for (status, count) in notification_polls {
        if *status == 0 {
            entry.unknown += count;
        } else {
            *entry.closed.entry(*status).or_default() += count;
        }
    }
    all
}
