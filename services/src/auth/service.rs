//! The routes of the auth service.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::accounts::{Account, Accounts};
use super::failed_logins::FailedLogins;
use super::metrics::AuthMetrics;
use super::passwords::Passwords;
use super::refresh_token::RefreshToken;
use super::refusal::Refusal;
use super::sessions::{self, Rotation, Sessions};
use super::tokens::{self, Claims, Tokens};
use crate::assembly::Routes;
use crate::config::AuthConfig;
use crate::error::ApiError;
use crate::extract::{BearerToken, Body};
use crate::server::{self, ServeError, Stop};
use crate::store::Store;

const NAME: &str = "auth";

/// Serves until `shutdown` completes and what is in flight has ended.
pub async fn serve(
    listener: TcpListener,
    config: AuthConfig,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let store = Store::new(&config.redis_url).map_err(ServeError::Redis)?;
    let metrics = AuthMetrics::new();
    let auth = Auth {
        accounts: Accounts::new(store.clone()),
        failed_logins: FailedLogins::new(store.clone()),
        sessions: Sessions::new(store.clone()),
        passwords: Passwords::new().ok_or(ServeError::PasswordHashing)?,
        tokens: Arc::new(Tokens::new(&config.token_signing_key)),
        metrics: metrics.clone(),
    };
    let service = Routes::of(NAME)
        .route(Method::POST, "/register", &[201, 400, 409, 413, 415, 422, 503], register)
        .route(Method::POST, "/login", &[200, 400, 401, 413, 415, 422, 429, 503], login)
        .route(Method::POST, "/refresh", &[200, 400, 401, 413, 415, 422, 503], refresh)
        .route(Method::POST, "/logout", &[204, 401, 503], logout)
        .route(Method::GET, "/verify", &[200, 401, 503], verify)
        .assemble(
            auth,
            &config.faults,
            |registry| metrics.register(registry),
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
    accounts: Accounts,
    failed_logins: FailedLogins,
    sessions: Sessions,
    passwords: Passwords,
    tokens: Arc<Tokens>,
    metrics: AuthMetrics,
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

#[derive(Deserialize)]
struct Refresh {
    refresh_token: String,
}

async fn register(
    State(auth): State<Auth>,
    Body(Credentials { username, password }): Body<Credentials>,
) -> Result<(StatusCode, Json<serde_json::Value>), Refusal> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "._-@".contains(character);
    if !(1..=64).contains(&username.len()) || !username.chars().all(allowed) {
        return Err(ApiError::invalid("username must be 1 to 64 letters, digits or any of . _ - @").into());
    }
    if !(8..=128).contains(&password.len()) {
        return Err(ApiError::invalid("password must be 8 to 128 bytes").into());
    }
    let account = Account { id: Uuid::new_v4(), password_hash: auth.passwords.hash(password).await? };
    if auth.accounts.create(&username, &account).await? {
        Ok((StatusCode::CREATED, Json(json!({ "id": account.id, "username": username }))))
    } else {
        Err(ApiError::conflict("the username is taken").into())
    }
}

async fn login(
    State(auth): State<Auth>,
    Body(Credentials { username, password }): Body<Credentials>,
) -> Result<Json<serde_json::Value>, Refusal> {
    let limited = |left| {
        auth.metrics.attempts.rate_limited.inc();
        Refusal::rate_limited(left)
    };
    if let Some(left) = auth.failed_logins.limited(&username).await? {
        return Err(limited(left));
    }
    let (id, hash) =
        auth.accounts.find(&username).await?.map(|account| (account.id, account.password_hash)).unzip();
    let right = auth.passwords.verify(password, hash).await?;
    let Some(subject) = id.filter(|_| right) else {
        if let Some(left) = auth.failed_logins.record(&username).await? {
            return Err(limited(left));
        }
        auth.metrics.attempts.failure.inc();
        return Err(ApiError::unauthorized("wrong username or password").into());
    };
    // Asked again, so that many guesses at once learn no more than one after the other.
    if let Some(left) = auth.failed_logins.limited(&username).await? {
        return Err(limited(left));
    }
    let refresh = RefreshToken::random(Uuid::new_v4());
    let tokens = auth.pair(subject, &refresh)?;
    auth.sessions.open(subject, &refresh).await?;
    auth.metrics.attempts.success.inc();
    Ok(tokens)
}

async fn refresh(
    State(auth): State<Auth>,
    Body(Refresh { refresh_token }): Body<Refresh>,
) -> Result<Json<serde_json::Value>, Refusal> {
    let refused = || ApiError::unauthorized("the refresh token is not valid");
    let Some(shown) = RefreshToken::parse(refresh_token) else {
        auth.metrics.refreshes.failure.inc();
        return Err(refused().into());
    };
    let next = RefreshToken::random(shown.session());
    match auth.sessions.rotate(&shown, &next).await? {
        Rotation::Rotated { subject } => {
            let subject = Uuid::parse_str(&subject).map_err(|error| ApiError::internal(&error))?;
            let tokens = auth.pair(subject, &next)?;
            auth.metrics.refreshes.success.inc();
            Ok(tokens)
        }
        Rotation::Reused => {
            tracing::warn!(session = %shown.session(), "a refresh token was used twice; its session is ended");
            auth.metrics.refreshes.reused.inc();
            Err(refused().into())
        }
        Rotation::Unknown => {
            auth.metrics.refreshes.failure.inc();
            Err(refused().into())
        }
    }
}

async fn logout(State(auth): State<Auth>, bearer: Option<BearerToken>) -> Result<StatusCode, ApiError> {
    let claims = auth.claims(bearer)?;
    if auth.sessions.end(claims.session).await? { Ok(StatusCode::NO_CONTENT) } else { Err(no_valid_token()) }
}

async fn verify(
    State(auth): State<Auth>,
    bearer: Option<BearerToken>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let claims = auth.claims(bearer)?;
    let subject = auth.sessions.subject(claims.session).await?;
    if subject.as_deref() == Some(claims.subject.to_string().as_str()) {
        Ok(Json(json!({ "subject": claims.subject })))
    } else {
        Err(no_valid_token())
    }
}

fn no_valid_token() -> ApiError {
    ApiError::unauthorized("the token is missing or not valid")
}

impl Auth {
    /// What a token of ours says. Whether its session lasts is another question.
    fn claims(&self, bearer: Option<BearerToken>) -> Result<Claims, ApiError> {
        bearer.and_then(|BearerToken(token)| self.tokens.check(&token)).ok_or_else(no_valid_token)
    }

    /// The answer that hands out a fresh token beside `refresh`, both of one session.
    fn pair(&self, subject: Uuid, refresh: &RefreshToken) -> Result<Json<serde_json::Value>, ApiError> {
        let token =
            self.tokens.issue(subject, refresh.session()).map_err(|error| ApiError::internal(&error))?;
        Ok(Json(json!({
            "token": token,
            "expires_in": tokens::LIFETIME.as_secs(),
            "refresh_token": refresh.expose(),
            "refresh_expires_in": sessions::LIFETIME.as_secs(),
        })))
    }
}
