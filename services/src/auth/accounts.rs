//! Accounts in Redis. Knows nothing of passwords but their hashes.

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::error::ApiError;
use crate::store::{Store, StoreError};

/// The accounts.
#[derive(Clone)]
pub(super) struct Accounts {
    store: Store,
}

/// An account as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) id: Uuid,
    pub(super) password_hash: String,
}

impl Accounts {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Whether the account was created; false when the name is taken.
    pub(super) async fn create(&self, username: &str, account: &Account) -> Result<bool, StoreError> {
        let account = json!(account).to_string();
        let created: Option<String> =
            self.store.query(redis::cmd("SET").arg(key(username)).arg(account).arg("NX")).await?;
        Ok(created.is_some())
    }

    pub(super) async fn find(&self, username: &str) -> Result<Option<Account>, ApiError> {
        let stored: Option<String> = self.store.query(redis::cmd("GET").arg(key(username))).await?;
        stored
            .map(|stored| serde_json::from_str(&stored))
            .transpose()
            .map_err(|error| ApiError::internal(&error))
    }
}

fn key(username: &str) -> String {
    format!("auth:account:{username}")
}
