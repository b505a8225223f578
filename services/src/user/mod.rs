//! The user service: records of users.

mod records;

use axum::Json;
use axum::extract::State;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::assembly::Routes;
use crate::config::StoreServiceConfig;
use crate::error::ApiError;
use crate::extract::{Body, Limit, PathParameter};
use crate::server::{self, ServeError, Stop};
use crate::store::Store;
use records::{Records, Written};

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

/// What a client says of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Profile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    name: String,
    email: String,
}

impl Profile {
    fn checked(self) -> Result<Self, ApiError> {
        let fits = |text: &str, most: usize| !text.trim().is_empty() && text.len() <= most;
        if !fits(&self.name, 200) {
            return Err(ApiError::invalid("name must be 1 to 200 bytes and not blank"));
        }
        if !self.username.as_deref().is_none_or(|username| fits(username, 64)) {
            return Err(ApiError::invalid("username must be 1 to 64 bytes and not blank"));
        }
        let well_formed = self
            .email
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
        if !well_formed || self.email.len() > 254 || self.email.contains(char::is_whitespace) {
            return Err(ApiError::invalid("email must be local@domain, at most 254 bytes"));
        }
        Ok(self)
    }
}

/// A user as it is answered.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct User {
    id: Uuid,
    #[serde(flatten)]
    profile: Profile,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_needs_a_name_and_an_email_of_the_right_form() {
        let profile = |username: Option<&str>, name: &str, email: &str| Profile {
            username: username.map(str::to_owned),
            name: name.to_owned(),
            email: email.to_owned(),
        };
        assert!(profile(None, "Ada", "ada@example.org").checked().is_ok());
        assert!(profile(Some("ada"), "Ada", "ada@example.org").checked().is_ok());
        for (username, name, email) in [
            (None, " ", "ada@example.org"),
            (Some(""), "Ada", "ada@example.org"),
            (None, "Ada", "ada"),
            (None, "Ada", "@example.org"),
            (None, "Ada", "ada@"),
            (None, "Ada", "a@b@c"),
            (None, "Ada", "a da@example.org"),
        ] {
            assert!(profile(username, name, email).checked().is_err(), "{username:?} {name:?} {email:?}");
        }
    }
}
