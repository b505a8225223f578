//! The notification service: it receives Alertmanager's webhook, keeps every delivery for whoever asks,
//! sends each alert to its channels, and keeps the users' own notifications.

mod deliveries;
mod messages;
mod webhook;

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::handler::Handler;
use axum::response::IntoResponse;
use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;

use crate::assembly::Routes;
use crate::config::StoreServiceConfig;
use crate::error::ApiError;
use crate::extract::{Body, Limit, Parameters};
use crate::server::{self, ServeError, Stop};
use crate::store::Store;
use deliveries::Deliveries;
use messages::{Message, Messages};
use webhook::Webhook;

const NAME: &str = "notification";
/// A group of alerts is larger than what a user sends.
const WEBHOOK_LIMIT_BYTES: usize = 4 * 1024 * 1024;
/// The log target of the channel `log`.
pub(crate) const LOG_CHANNEL_TARGET: &str = "notification_channel";

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

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SentLabels {
    channel: &'static str,
    result: &'static str,
}

/// Alerts of deliveries that were kept and sent (success), or could not be kept (failure).
#[derive(Clone)]
struct Sent {
    family: Family<SentLabels, Counter>,
    success: Counter,
    failure: Counter,
}

impl Sent {
    fn new() -> Self {
        let family = Family::<SentLabels, Counter>::default();
        let log = |result| family.get_or_create_owned(&SentLabels { channel: "log", result });
        Self { success: log("success"), failure: log("failure"), family: family.clone() }
    }
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
