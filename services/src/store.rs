//! Redis, with every command bounded in time.
//!
//! The connection is made at the first command and made again after it was lost; a command is never sent
//! twice.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use metrics_plugin::Health;
use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSub};
use redis::{Client, Cmd, FromRedisValue, RedisError};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::error::ApiError;
use crate::secret::Secret;

/// No command, connecting included, takes longer.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(1);

/// So often a connection that nobody uses is tried: one that was lost is made again before the next request needs it.
const TRIED_EVERY: Duration = Duration::from_millis(500);

/// A handle to Redis; clones share the connection.
#[derive(Clone)]
pub(crate) struct Store {
    client: Client,
    connection: ConnectionManager,
    _trying: Arc<Trying>,
}

/// The task that tries the connection, until the last handle is gone.
struct Trying(JoinHandle<()>);

impl Drop for Trying {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Store {
    /// Waits for no connection: Redis may be away when a service starts. Must be called inside a runtime.
    pub(crate) fn new(url: &Secret) -> Result<Self, RedisError> {
        let client = Client::open(url.expose())?;
        // A failed attempt is not repeated within a command; the next command makes the next attempt.
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(COMMAND_TIMEOUT))
            .set_response_timeout(Some(COMMAND_TIMEOUT))
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        let trying = Arc::new(Trying(tokio::spawn(keep_trying(connection.clone()))));
        Ok(Self { client, connection, _trying: trying })
    }

    pub(crate) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let mut connection = self.connection.clone();
        let reply = tokio::time::timeout(COMMAND_TIMEOUT, command.query_async(&mut connection)).await;
        reply.map_err(|_| StoreError::Timeout)?.map_err(StoreError::Failed)
    }

    /// Runs a script that reads and writes as one step.
    pub(crate) async fn script<T: FromRedisValue>(
        &self,
        source: &str,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<T, StoreError> {
        self.query(redis::cmd("EVAL").arg(source).arg(keys.len()).arg(keys).arg(arguments)).await
    }

    /// A connection of its own, for subscriptions.
    pub(crate) async fn subscriber(&self) -> Result<PubSub, StoreError> {
        let connecting = tokio::time::timeout(COMMAND_TIMEOUT, self.client.get_async_pubsub()).await;
        connecting.map_err(|_| StoreError::Timeout)?.map_err(StoreError::Failed)
    }

    pub(crate) async fn health(&self) -> Health {
        match self.query::<String>(&redis::cmd("PING")).await {
            Ok(_) => Health::Healthy,
            Err(error) => Health::Unhealthy(format!("redis is unavailable: {error}")),
        }
    }
}

async fn keep_trying(mut connection: ConnectionManager) {
    let mut ticks = tokio::time::interval(TRIED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let reply: Result<String, RedisError> = redis::cmd("PING").query_async(&mut connection).await;
        if let Err(error) = reply {
            tracing::debug!(%error, "redis does not answer");
        }
    }
}

/// Why a command had no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("no reply within {} s", COMMAND_TIMEOUT.as_secs())]
    Timeout,
    #[error("{0}")]
    Failed(RedisError),
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "redis is unavailable");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "redis is unavailable")
    }
}

impl IntoResponse for StoreError {
    fn into_response(self) -> Response {
        ApiError::from(self).into_response()
    }
}
