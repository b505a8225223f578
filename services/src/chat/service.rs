//! The routes of the chat service.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use metrics_plugin::Health;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::heartbeat::{self, Heartbeat};
use super::history::History;
use super::hub::Hub;
use super::metrics::ChatMetrics;
use super::sequence::{NoSequence, Sequence};
use super::session::{Entrance, LONGEST_FRAME_BYTES, PAGE, READ_BUFFER_BYTES, Session};
use super::{room_name, subscription};
use crate::assembly::Routes;
use crate::config::StoreServiceConfig;
use crate::error::ApiError;
use crate::extract::{Limit, Parameters, PathParameter};
use crate::server::{self, ServeError, Stop, Stopping};
use crate::store::Store;

const NAME: &str = "chat";

/// Serves until `shutdown` completes; open sockets are then closed with 1001.
pub async fn serve(
    listener: TcpListener,
    config: StoreServiceConfig,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let store = Store::new(&config.redis_url).map_err(ServeError::Redis)?;
    let hub = Arc::new(Hub::new());
    let metrics = ChatMetrics::new();
    let registered = metrics.clone();
    let (stop, stopping) = Stop::new();
    let chat = Chat { history: History::new(store.clone()), hub: Arc::clone(&hub), metrics, stopping };
    let health = {
        let (store, hub) = (store.clone(), Arc::clone(&hub));
        move || {
            let (store, hub) = (store.clone(), Arc::clone(&hub));
            async move {
                match store.health().await {
                    Health::Healthy if !hub.is_live() => {
                        Health::Unhealthy("not subscribed to redis".to_owned())
                    }
                    health => health,
                }
            }
        }
    };
    let service = Routes::of(NAME)
        .route(Method::GET, "/rooms", &[200], rooms)
        .route(Method::GET, "/rooms/{room}/ws", &[101, 400, 422, 426, 503], join)
        .route(Method::GET, "/rooms/{room}/messages", &[200, 422, 503], messages)
        .assemble(chat, &config.faults, |registry| registered.register(registry), health)
        .map_err(ServeError::Metrics)?;
    let subscription = tokio::spawn(subscription::keep(store, hub));
    let served = server::serve(listener, NAME, service, stop, shutdown).await;
    subscription.abort();
    served
}

#[derive(Clone)]
struct Chat {
    history: History,
    hub: Arc<Hub>,
    metrics: ChatMetrics,
    stopping: Stopping,
}

#[derive(Deserialize)]
struct Joining {
    member: String,
    after: Option<String>,
}

async fn join(
    PathParameter(room): PathParameter,
    Parameters(Joining { member, after }): Parameters<Joining>,
    State(chat): State<Chat>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    room_name::check("room", &room)?;
    room_name::check("member", &member)?;
    let after = after.map(|after| place(&after)).transpose()?;
    let upgrade = upgrade.map_err(|rejection| ApiError::new(rejection.status(), rejection.body_text()))?;
    let Chat { history, hub, metrics, stopping } = chat;
    // In this order: what is published between the two is in the history and in the backlog, never in neither.
    let membership = hub
        .join(&room, &member)
        .ok_or_else(|| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "redis is unavailable"))?;
    let entrance = match after {
        None => Entrance::Now(history.last(&room).await?),
        Some(after) => Entrance::Again(history.after(&room, after, PAGE).await?),
    };
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(LONGEST_FRAME_BYTES)
        .max_frame_size(LONGEST_FRAME_BYTES);
    Ok(upgrade.on_upgrade(move |socket| {
        let heartbeat = Heartbeat::new(heartbeat::INTERVAL);
        Session::new(socket, history, metrics, heartbeat, room, member).run(membership, entrance, stopping)
    }))
}

fn place(text: &str) -> Result<Sequence, ApiError> {
    text.parse().map_err(|NoSequence| ApiError::invalid("after must be the seq of a message, or 0-0"))
}

#[derive(Deserialize)]
struct After {
    after: Option<String>,
}

async fn messages(
    PathParameter(room): PathParameter,
    Parameters(After { after }): Parameters<After>,
    Limit(limit): Limit<50, 100>,
    State(Chat { history, .. }): State<Chat>,
) -> Result<impl IntoResponse, ApiError> {
    room_name::check("room", &room)?;
    let place = after.as_deref().map_or(Ok(Sequence::FIRST), place)?;
    let page = history.after(&room, place, limit).await?;
    let next = page.messages.last().map_or(place, |(sequence, _)| *sequence).to_string();
    let messages: Vec<Value> = page
        .messages
        .iter()
        .map(|(_, text)| serde_json::from_str(text.as_str()))
        .collect::<Result<_, _>>()
        .map_err(|error| ApiError::internal(&error))?;
    // Whoever asks from the beginning asks for what is kept.
    let gap = after.is_some() && !page.reaches;
    let mut answer = json!({ "messages": messages, "next": next });
    if gap {
        answer["gap"] = true.into();
    }
    Ok(Json(answer))
}

async fn rooms(State(chat): State<Chat>) -> impl IntoResponse {
    let rooms: Vec<_> = chat
        .hub
        .rooms()
        .into_iter()
        .map(|(room, connections)| json!({ "room": room, "connections": connections }))
        .collect();
    Json(json!({ "rooms": rooms }))
}
