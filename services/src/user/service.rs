//! The routes of the user service.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::conditions::{Tags, entity_tag};
use super::cursor;
use super::profile::{Profile, User};
use super::records::{Deleted, FIRST_VERSION, Page, Records, Updated, folded};
use crate::assembly::Routes;
use crate::config::StoreServiceConfig;
use crate::error::ApiError;
use crate::extract::{Body, Limit, Parameters, PathParameter};
use crate::server::{self, ServeError, Stop};
use crate::store::Store;

const NAME: &str = "user";

/// Serves until `shutdown` completes and what is in flight has ended.
pub async fn serve(
    listener: TcpListener,
    config: StoreServiceConfig,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let store = Store::new(&config.redis_url).map_err(ServeError::Redis)?;
    let service = Routes::of(NAME)
        .route(Method::POST, "/users", &[201, 400, 409, 413, 415, 422, 503], create)
        .route(Method::GET, "/users", &[200, 422, 503], list)
        .route(Method::GET, "/users/search", &[200, 422, 503], search)
        .route(Method::GET, "/users/{id}", &[200, 304, 400, 404, 503], read)
        .route(Method::PUT, "/users/{id}", &[200, 400, 404, 409, 412, 413, 415, 422, 503], update)
        .route(Method::DELETE, "/users/{id}", &[204, 400, 404, 412, 503], delete)
        .assemble(
            Records::new(store.clone()),
            &config.faults,
            |_| {},
            move || {
                let store = store.clone();
                async move { store.health().await }
            },
        )
        .map_err(ServeError::Metrics)?;
    let (stop, _) = Stop::new();
    server::serve(listener, NAME, service, stop, shutdown).await
}

/// `?after=`: the cursor that the page before ended with.
#[derive(Deserialize)]
struct After {
    after: Option<String>,
}

/// `?prefix=`: what names begin with.
#[derive(Deserialize)]
struct Prefix {
    prefix: String,
}

fn no_such_user() -> ApiError {
    ApiError::not_found("no such user")
}

fn no_such_cursor() -> ApiError {
    ApiError::invalid("after must be what `next` was")
}

fn email_taken() -> ApiError {
    ApiError::conflict("the email is taken")
}

fn version_differs() -> ApiError {
    ApiError::new(StatusCode::PRECONDITION_FAILED, "the user has changed")
}

/// What is no identifier names no user.
fn identifier(text: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(text).map_err(|_| no_such_user())
}

async fn create(
    State(records): State<Records>,
    Body(profile): Body<Profile>,
) -> Result<impl IntoResponse, ApiError> {
    let user = User { id: Uuid::new_v4(), profile: profile.checked()? };
    if records.create(&user).await? {
        Ok((StatusCode::CREATED, versioned(user, FIRST_VERSION)))
    } else {
        Err(email_taken())
    }
}

async fn list(
    Limit(limit): Limit<20, 100>,
    Parameters(After { after }): Parameters<After>,
    State(records): State<Records>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let position = |cursor: String| cursor::decode(&cursor)?.parse().ok();
    let after = after.map(|cursor| position(cursor).ok_or_else(no_such_cursor)).transpose()?;
    Ok(paged(records.newest(limit, after).await?))
}

async fn search(
    Limit(limit): Limit<20, 100>,
    Parameters(After { after }): Parameters<After>,
    Parameters(Prefix { prefix }): Parameters<Prefix>,
    State(records): State<Records>,
) -> Result<Json<serde_json::Value>, ApiError> {
    if !(1..=200).contains(&prefix.len()) || prefix.contains(char::is_control) {
        return Err(ApiError::invalid("prefix must be 1 to 200 bytes and have no control characters"));
    }
    let prefix = folded(&prefix);
    let position = |cursor: String| cursor::decode(&cursor).filter(|position| position.starts_with(&prefix));
    let after = after.map(|cursor| position(cursor).ok_or_else(no_such_cursor)).transpose()?;
    Ok(paged(records.by_prefix(&prefix, limit, after.as_deref()).await?))
}

async fn read(
    PathParameter(id): PathParameter,
    State(records): State<Records>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (user, version) = records.read(identifier(&id)?).await?.ok_or_else(no_such_user)?;
    if Tags::if_none_match(&headers).is_some_and(|tags| tags.has(version)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, entity_tag(version))]).into_response());
    }
    Ok(versioned(user, version).into_response())
}

async fn update(
    PathParameter(id): PathParameter,
    State(records): State<Records>,
    headers: HeaderMap,
    Body(profile): Body<Profile>,
) -> Result<impl IntoResponse, ApiError> {
    let user = User { profile: profile.checked()?, id: identifier(&id)? };
    match records.update(&user, Tags::if_match(&headers).as_ref()).await? {
        Updated::Done { version } => Ok(versioned(user, version)),
        Updated::Absent => Err(no_such_user()),
        Updated::EmailTaken => Err(email_taken()),
        Updated::VersionDiffers => Err(version_differs()),
    }
}

async fn delete(
    PathParameter(id): PathParameter,
    State(records): State<Records>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    match records.delete(identifier(&id)?, Tags::if_match(&headers).as_ref()).await? {
        Deleted::Done => Ok(StatusCode::NO_CONTENT),
        Deleted::Absent => Err(no_such_user()),
        Deleted::VersionDiffers => Err(version_differs()),
    }
}

/// A user with its version as the entity tag.
fn versioned(user: User, version: u64) -> impl IntoResponse {
    ([(header::ETAG, entity_tag(version))], Json(user))
}

fn paged(Page { users, next }: Page) -> Json<serde_json::Value> {
    Json(json!({ "users": users, "next": next.as_deref().map(cursor::encode) }))
}
