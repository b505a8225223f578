//! The routes of the notification service.

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::handler::Handler;
use axum::response::IntoResponse;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;

use super::deliveries::Deliveries;
use super::messages::{Message, Messages};
use super::sent::Sent;
use super::webhook::Webhook;
use crate::assembly::Routes;
use crate::config::StoreServiceConfig;
use crate::error::ApiError;
use crate::extract::{Body, Limit, Parameters};
use crate::server::{self, ServeError, Stop};
use crate::store::Store;

const NAME: &str = "notification";
/// A group of alerts is larger than what a user sends.
const WEBHOOK_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// Serves until `shutdown` completes and what is in flight has ended.
pub async fn serve(
    listener: TcpListener,
    config: StoreServiceConfig,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let store = Store::new(&config.redis_url).map_err(ServeError::Redis)?;
    let sent = Sent::new();
    let family = sent.family.clone();
    let state = Notification {
        deliveries: Deliveries::new(store.clone()),
        messages: Messages::new(store.clone()),
        sent,
    };
    let webhook = receive.layer(DefaultBodyLimit::max(WEBHOOK_LIMIT_BYTES));
    let service = Routes::of(NAME)
        .route(Method::POST, "/webhook/alertmanager", &[200, 400, 413, 415, 422, 503], webhook)
        .route(Method::GET, "/api/notifications", &[200, 422, 503], delivered)
        .route(Method::POST, "/notifications", &[201, 400, 413, 415, 422, 503], send)
        .route(Method::GET, "/notifications", &[200, 422, 503], list)
        .assemble(
            state,
            &config.faults,
            |registry| {
                registry.register("notifications_sent", "Alerts sent, by channel and result", family);
            },
            move || {
                let store = store.clone();
                async move { store.health().await }
            },
        )
        .map_err(ServeError::Metrics)?;
    let (stop, _) = Stop::new();
    server::serve(listener, NAME, service, stop, shutdown).await
}

#[derive(Clone)]
struct Notification {
    deliveries: Deliveries,
    messages: Messages,
    sent: Sent,
}

async fn receive(
    State(Notification { deliveries, sent, .. }): State<Notification>,
    Body(webhook): Body<Webhook>,
) -> Result<impl IntoResponse, ApiError> {
    let received_at = jiff::Timestamp::now();
    webhook.check()?;
    let alerts = webhook.alerts.len() as u64;
    match deliveries.keep(&webhook, received_at).await {
        Ok(sequence) => {
            webhook.log(sequence);
            sent.success.inc_by(alerts);
            Ok(Json(json!({ "sequence": sequence })))
        }
        Err(error) => {
            sent.failure.inc_by(alerts);
            Err(error.into())
        }
    }
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: u64,
}

async fn delivered(
    Parameters(Since { since }): Parameters<Since>,
    Limit(limit): Limit<100, 1000>,
    State(Notification { deliveries, .. }): State<Notification>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(Json(deliveries.since(since, limit).await?))
}

#[derive(Deserialize)]
struct NewMessage {
    to: String,
    text: String,
}

async fn send(
    State(Notification { messages, .. }): State<Notification>,
    Body(NewMessage { to, text }): Body<NewMessage>,
) -> Result<impl IntoResponse, ApiError> {
    if to.trim().is_empty() || to.len() > 254 {
        return Err(ApiError::invalid("to must be 1 to 254 bytes and not blank"));
    }
    if text.is_empty() || text.len() > 10_000 {
        return Err(ApiError::invalid("text must be 1 to 10000 bytes"));
    }
    let message = Message::new(to, text);
    messages.keep(&message).await?;
    Ok((StatusCode::CREATED, Json(message)))
}

async fn list(
    Limit(limit): Limit<20, 100>,
    State(Notification { messages, .. }): State<Notification>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(Json(json!({ "notifications": messages.newest(limit).await? })))
}
