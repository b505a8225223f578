//! Redis, with every command bounded in time.
//!
//! The connection is made at the first command and made again after it was lost; a command is never sent
//! twice.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use metrics_plugin::Health;
use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSub};
use redis::{Client, Cmd, FromRedisValue, RedisError};

use crate::error::ApiError;
use crate::secret::Secret;

/// No command, connecting included, takes longer.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(1);

/// A handle to Redis; clones share the connection.
#[derive(Clone)]
pub(crate) struct Store {
    client: Client,
    connection: ConnectionManager,
}

impl Store {
    /// Connects to nothing yet: Redis may be away when a service starts.
    pub(crate) fn new(url: &Secret) -> Result<Self, RedisError> {
        let client = Client::open(url.expose())?;
        // A failed attempt is not repeated within a command; the next command makes the next attempt.
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(COMMAND_TIMEOUT))
            .set_response_timeout(Some(COMMAND_TIMEOUT))
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        Ok(Self { client, connection })
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
