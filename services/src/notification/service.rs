//! The routes of the notification service.

use std::sync::Arc;

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::handler::Handler;
use axum::response::IntoResponse;
use http::{Method, StatusCode};
use prometheus_client::metrics::counter::Counter;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::channel::Channel;
use super::config::NotificationConfig;
use super::dead_letters;
use super::deliveries::{Arrival, Deliveries};
use super::delivery::Delivery;
use super::messages::{Message, Messages};
use super::metrics::{ChannelMetrics, NotificationMetrics};
use super::webhook::Webhook;
use super::worker::Worker;
use crate::assembly::Routes;
use crate::error::ApiError;
use crate::extract::{Body, Limit, Parameters};
use crate::server::{self, ServeError, Stop};
use crate::store::{Store, StoreError};

const NAME: &str = "notification";
/// A group of alerts is larger than what a user sends.
const WEBHOOK_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// Serves until `shutdown` completes and what is in flight has ended.
pub async fn serve(
    listener: TcpListener,
    config: NotificationConfig,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let store = Store::new(&config.service.redis_url).map_err(ServeError::Redis)?;
    let metrics = NotificationMetrics::default();
    let channels = Channel::all(&config);
    let names: Vec<&'static str> = channels.iter().map(Channel::name).collect();
    let outlets: Vec<Outlet> = names
        .iter()
        .map(|name| Outlet { name, metrics: metrics.channel(name), news: Arc::default() })
        .collect();
    let (queue_length, window) = (config.sending.queue_length, config.duplicate_window);
    let state = Notification {
        deliveries: Deliveries::new(store.clone(), names, queue_length, window),
        messages: Messages::new(store.clone()),
        store: store.clone(),
        duplicates: metrics.duplicates.clone(),
        outlets: outlets.clone().into(),
    };
    let webhook = receive.layer(DefaultBodyLimit::max(WEBHOOK_LIMIT_BYTES));
    let health = {
        let store = store.clone();
        move || {
            let store = store.clone();
            async move { store.health().await }
        }
    };
    let service = Routes::of(NAME)
        .route(Method::POST, "/webhook/alertmanager", &[200, 400, 413, 415, 422, 503], webhook)
        .route(Method::GET, "/api/notifications", &[200, 422, 503], delivered)
        .route(Method::GET, "/dead-letters", &[200, 422, 503], dead)
        .route(Method::POST, "/notifications", &[201, 400, 413, 415, 422, 503], send)
        .route(Method::GET, "/notifications", &[200, 422, 503], list)
        .assemble(state, &config.service.faults, |registry| metrics.register(registry), health)
        .map_err(ServeError::Metrics)?;
    let (stop, stopping) = Stop::new();
    // Each ends by itself when the service stops, and the server waits for it.
    let mut workers = JoinSet::new();
    for (channel, Outlet { name: _, metrics, news }) in channels.into_iter().zip(outlets) {
        let (store, sending) = (store.clone(), config.sending.clone());
        workers.spawn(Worker::new(channel, store, sending, metrics, news, stopping.clone()).run());
    }
    drop(stopping);
    server::serve(listener, NAME, service, stop, shutdown).await
}

#[derive(Clone)]
struct Notification {
    deliveries: Deliveries,
    messages: Messages,
    store: Store,
    duplicates: Counter,
    /// In the order of the deliveries' channels.
    outlets: Arc<[Outlet]>,
}

/// What the routes know of a channel: its name, its metrics, and how to wake its worker.
#[derive(Clone)]
struct Outlet {
    name: &'static str,
    metrics: ChannelMetrics,
    news: Arc<Notify>,
}

async fn receive(
    State(notification): State<Notification>,
    Body(webhook): Body<Webhook>,
) -> Result<impl IntoResponse, ApiError> {
    let delivery = webhook.received(jiff::Timestamp::now())?;
    // To the end even if the sender leaves: what it will post again is then known.
    let kept = tokio::spawn(async move { notification.keep(&delivery).await }).await;
    let sequence = kept.map_err(|error| ApiError::internal(&error))??;
    Ok(Json(json!({ "sequence": sequence })))
}

impl Notification {
    /// The delivery's number.
    async fn keep(&self, delivery: &Delivery) -> Result<u64, StoreError> {
        match self.deliveries.keep(delivery).await {
            Ok(Arrival::New { sequence, lengths, displaced }) => {
                for (channel, alerts) in displaced {
                    if let Some(outlet) = self.outlets.get(channel) {
                        tracing::error!(channel = outlet.name, "a notification made place in a full queue");
                        outlet.metrics.given_up(alerts);
                    }
                }
                for (outlet, length) in self.outlets.iter().zip(lengths) {
                    outlet.metrics.queued(length);
                    outlet.news.notify_one();
                }
                Ok(sequence)
            }
            Ok(Arrival::Known(sequence)) => {
                self.duplicates.inc();
                Ok(sequence)
            }
            Err(error) => {
                for outlet in self.outlets.iter() {
                    outlet.metrics.not_kept(delivery.alerts.len() as u64);
                }
                Err(error)
            }
        }
    }
}

async fn dead(
    Limit(limit): Limit<20, 100>,
    State(Notification { store, .. }): State<Notification>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(Json(json!({ "dead_letters": dead_letters::newest(&store, limit).await? })))
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
