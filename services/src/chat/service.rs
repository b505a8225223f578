//! The routes of the chat service.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use metrics_plugin::Health;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;

use super::hub::Hub;
use super::metrics::ChatMetrics;
use super::session::{LONGEST_FRAME_BYTES, Session};
use super::{room_name, subscription};
use crate::assembly::Routes;
use crate::config::StoreServiceConfig;
use crate::error::ApiError;
use crate::extract::{Parameters, PathParameter};
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
    let metrics = ChatMetrics::default();
    let registered = metrics.clone();
    let (stop, stopping) = Stop::new();
    let chat = Chat { store: store.clone(), hub: Arc::clone(&hub), metrics, stopping };
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
        .assemble(chat, &config.faults, |registry| registered.register(registry), health)
        .map_err(ServeError::Metrics)?;
    let subscription = tokio::spawn(subscription::keep(store, hub));
    let served = server::serve(listener, NAME, service, stop, shutdown).await;
    subscription.abort();
    served
}

#[derive(Clone)]
struct Chat {
    store: Store,
    hub: Arc<Hub>,
    metrics: ChatMetrics,
    stopping: Stopping,
}

#[derive(Deserialize)]
struct Joining {
    member: String,
}

async fn join(
    PathParameter(room): PathParameter,
    Parameters(Joining { member }): Parameters<Joining>,
    State(chat): State<Chat>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    room_name::check("room", &room)?;
    room_name::check("member", &member)?;
    let upgrade = upgrade.map_err(|rejection| ApiError::new(rejection.status(), rejection.body_text()))?;
    if !chat.hub.is_live() {
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "redis is unavailable"));
    }
    let upgrade = upgrade.max_message_size(LONGEST_FRAME_BYTES).max_frame_size(LONGEST_FRAME_BYTES);
    Ok(upgrade.on_upgrade(move |socket| {
        let Chat { store, hub, metrics, stopping } = chat;
        Session::new(socket, store, metrics, room, member).run(hub, stopping)
    }))
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
