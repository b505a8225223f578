//! The routes of the auth service, over accounts and sessions in Redis.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::attempts::Attempts;
use super::passwords::Passwords;
use super::tokens::{self, Tokens};
use crate::assembly::Routes;
use crate::config::AuthConfig;
use crate::error::ApiError;
use crate::extract::{BearerToken, Body};
use crate::server::{self, ServeError, Stop};
use crate::store::{Store, StoreError};

const NAME: &str = "auth";

/// Serves until `shutdown` completes and what is in flight has ended.
pub async fn serve(
    listener: TcpListener,
    config: AuthConfig,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let store = Store::new(&config.redis_url).map_err(ServeError::Redis)?;
    let attempts = Attempts::new();
    let family = attempts.family.clone();
    let auth = Auth {
        store: store.clone(),
        passwords: Passwords::new().ok_or(ServeError::PasswordHashing)?,
        tokens: Arc::new(Tokens::new(&config.token_signing_key)),
        attempts,
    };
    let service = Routes::of(NAME)
        .route(Method::POST, "/register", &[201, 400, 409, 413, 415, 422, 503], register)
        .route(Method::POST, "/login", &[200, 400, 401, 413, 415, 422, 503], login)
        .route(Method::GET, "/verify", &[200, 401, 503], verify)
        .assemble(
            auth,
            &config.faults,
            |registry| registry.register("auth_attempts", "Logins by their result", family),
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
struct Auth {
    store: Store,
    passwords: Passwords,
    tokens: Arc<Tokens>,
    attempts: Attempts,
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

/// An account as it is stored.
#[derive(Serialize, Deserialize)]
struct Account {
    id: Uuid,
    password_hash: String,
}

fn account_key(username: &str) -> String {
    format!("auth:account:{username}")
}

async fn register(
    State(auth): State<Auth>,
    Body(Credentials { username, password }): Body<Credentials>,
) -> Result<(StatusCode, Json<serde_json::Value>), ApiError> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "._-@".contains(character);
    if !(1..=64).contains(&username.len()) || !username.chars().all(allowed) {
        return Err(ApiError::invalid("username must be 1 to 64 letters, digits or any of . _ - @"));
    }
    if !(8..=128).contains(&password.len()) {
        return Err(ApiError::invalid("password must be 8 to 128 bytes"));
    }
    let id = Uuid::new_v4();
    let password_hash = auth.passwords.hash(password).await.map_err(|error| ApiError::internal(&error))?;
    let account = json!(Account { id, password_hash }).to_string();
    let created: Option<String> =
        auth.store.query(redis::cmd("SET").arg(account_key(&username)).arg(account).arg("NX")).await?;
    match created {
        Some(_) => Ok((StatusCode::CREATED, Json(json!({ "id": id, "username": username })))),
        None => Err(ApiError::conflict("the username is taken")),
    }
}

async fn login(
    State(auth): State<Auth>,
    Body(Credentials { username, password }): Body<Credentials>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let stored: Option<String> = auth.store.query(redis::cmd("GET").arg(account_key(&username))).await?;
    let account: Option<Account> = stored
        .map(|stored| serde_json::from_str(&stored))
        .transpose()
        .map_err(|error| ApiError::internal(&error))?;
    let (id, hash) = account.map(|account| (account.id, account.password_hash)).unzip();
    let right = auth.passwords.verify(password, hash).await.map_err(|error| ApiError::internal(&error))?;
    let Some(subject) = id.filter(|_| right) else {
        auth.attempts.failure.inc();
        return Err(ApiError::unauthorized("wrong username or password"));
    };
    let issued = auth.tokens.issue(subject).map_err(|error| ApiError::internal(&error))?;
    let seconds = tokens::LIFETIME.as_secs();
    let _: String = auth
        .store
        .query(
            redis::cmd("SET")
                .arg(session_key(issued.session))
                .arg(subject.to_string())
                .arg("EX")
                .arg(seconds),
        )
        .await?;
    auth.attempts.success.inc();
    Ok(Json(json!({ "token": issued.token, "expires_in": seconds })))
}

async fn verify(
    State(auth): State<Auth>,
    bearer: Option<BearerToken>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let refused = || ApiError::unauthorized("the token is missing or not valid");
    let claims = bearer.and_then(|BearerToken(token)| auth.tokens.check(&token)).ok_or_else(refused)?;
    let subject = auth.session_subject(claims.session).await?;
    if subject.as_deref() == Some(claims.subject.to_string().as_str()) {
        Ok(Json(json!({ "subject": claims.subject })))
    } else {
        Err(refused())
    }
}

fn session_key(session: Uuid) -> String {
    format!("auth:session:{session}")
}

impl Auth {
    async fn session_subject(&self, session: Uuid) -> Result<Option<String>, StoreError> {
        self.store.query(redis::cmd("GET").arg(session_key(session))).await
    }
}
