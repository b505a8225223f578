//! `GET /metrics` and `GET /health`.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, StatusCode, header};
use prometheus_client::registry::Registry;
use serde_json::json;

use crate::distortion::Distortion;
use crate::exposition::Format;

pub(crate) const METRICS_PATH: &str = "/metrics";
pub(crate) const HEALTH_PATH: &str = "/health";

/// What a service says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It can serve.
    Healthy,
    /// It cannot, and says why in a few words.
    Unhealthy(String),
}

pub(crate) fn router<H, F>(service: String, registry: Registry, distortion: Distortion, health: H) -> Router
where
    H: Fn() -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Health> + Send,
{
    let registry = Arc::new(registry);
    let metrics = move |headers: HeaderMap| async move { expose(&registry, &distortion, &headers) };
    let health = move || async move {
        match health().await {
            Health::Healthy => (StatusCode::OK, Json(json!({ "service": service, "status": "ok" }))),
            Health::Unhealthy(reason) => (
                StatusCode::SERVICE_UNAVAILABLE,
                Json(json!({ "service": service, "status": "unavailable", "error": reason })),
            ),
        }
    };
    Router::new().route(METRICS_PATH, get(metrics)).route(HEALTH_PATH, get(health))
}

fn expose(registry: &Registry, distortion: &Distortion, headers: &HeaderMap) -> Response {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let format = Format::negotiate(accept);
    let Ok(text) = format.encode(registry) else {
        let body = Json(json!({ "error": "a metric could not be encoded" }));
        return (StatusCode::INTERNAL_SERVER_ERROR, body).into_response();
    };
    ([(header::CONTENT_TYPE, format.content_type())], distortion.apply(text)).into_response()
}
