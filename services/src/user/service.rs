//! The routes of the user service.

use axum::Json;
use axum::extract::State;
use http::{Method, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::profile::{Profile, User};
use super::records::{Records, Written};
use crate::assembly::Routes;
use crate::config::StoreServiceConfig;
use crate::error::ApiError;
use crate::extract::{Body, Limit, PathParameter};
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
        .route(Method::GET, "/users/{id}", &[200, 400, 404, 503], read)
        .route(Method::PUT, "/users/{id}", &[200, 400, 404, 409, 413, 415, 422, 503], update)
        .route(Method::DELETE, "/users/{id}", &[204, 400, 404, 503], delete)
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

fn no_such_user() -> ApiError {
    ApiError::not_found("no such user")
}

/// What is no identifier names no user.
fn identifier(text: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(text).map_err(|_| no_such_user())
}

async fn create(
    State(records): State<Records>,
    Body(profile): Body<Profile>,
) -> Result<(StatusCode, Json<User>), ApiError> {
    let user = User { id: Uuid::new_v4(), profile: profile.checked()? };
    match records.create(&user).await? {
        Written::Done => Ok((StatusCode::CREATED, Json(user))),
        Written::EmailTaken | Written::Absent => Err(ApiError::conflict("the email is taken")),
    }
}

async fn list(
    Limit(limit): Limit<20, 100>,
    State(records): State<Records>,
) -> Result<Json<serde_json::Value>, ApiError> {
    Ok(Json(json!({ "users": records.newest(limit).await? })))
}

async fn read(
    PathParameter(id): PathParameter,
    State(records): State<Records>,
) -> Result<Json<User>, ApiError> {
    records.read(identifier(&id)?).await?.map(Json).ok_or_else(no_such_user)
}

async fn update(
    PathParameter(id): PathParameter,
    State(records): State<Records>,
    Body(profile): Body<Profile>,
) -> Result<Json<User>, ApiError> {
    let user = User { profile: profile.checked()?, id: identifier(&id)? };
    match records.update(&user).await? {
        Written::Done => Ok(Json(user)),
        Written::Absent => Err(no_such_user()),
        Written::EmailTaken => Err(ApiError::conflict("the email is taken")),
    }
}

async fn delete(
    PathParameter(id): PathParameter,
    State(records): State<Records>,
) -> Result<StatusCode, ApiError> {
    if records.delete(identifier(&id)?).await? { Ok(StatusCode::NO_CONTENT) } else { Err(no_such_user()) }
}
