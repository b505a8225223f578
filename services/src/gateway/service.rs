//! The table of routes of the gateway.

use std::sync::Arc;

use http::Method;
use metrics_plugin::Health;
use tokio::net::TcpListener;

use super::relay::{Access, Relay};
use super::upstream::{Outcomes, Upstream};
use crate::assembly::Routes;
use crate::config::GatewayConfig;
use crate::server::{self, ServeError, Stop};

const NAME: &str = "gateway";

/// Serves until `shutdown` completes and what is in flight has ended.
pub async fn serve(
    listener: TcpListener,
    config: GatewayConfig,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let outcomes = Outcomes::default();
    let upstream = |name, config| Arc::new(Upstream::new(name, config, &outcomes));
    let auth = upstream("auth", &config.auth);
    let user = upstream("user", &config.user);
    let chat = upstream("chat", &config.chat);
    let notification = upstream("notification", &config.notification);

    let public = Relay::new(&auth, "/api/auth", Access::Public);
    let protected = |upstream, prefix| Relay::new(upstream, prefix, Access::Verified(Arc::clone(&auth)));
    let users = protected(&user, "/api");
    let rooms = protected(&chat, "/api/chat");
    let notifications = protected(&notification, "/api");

    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    let service = Routes::of(NAME)
        .route(
            post.clone(),
            "/api/auth/register",
            &[201, 400, 409, 413, 415, 422, 502, 503, 504],
            public.handler(),
        )
        .route(
            post.clone(),
            "/api/auth/login",
            &[200, 400, 401, 413, 415, 422, 502, 503, 504],
            public.handler(),
        )
        .route(get.clone(), "/api/auth/verify", &[200, 401, 413, 502, 503, 504], public.handler())
        .route(get.clone(), "/api/users", &[200, 401, 413, 422, 502, 503, 504], users.handler())
        .route(
            post.clone(),
            "/api/users",
            &[201, 400, 401, 409, 413, 415, 422, 502, 503, 504],
            users.handler(),
        )
        .route(get.clone(), "/api/users/{id}", &[200, 400, 401, 404, 413, 502, 503, 504], users.handler())
        .route(
            put,
            "/api/users/{id}",
            &[200, 400, 401, 404, 409, 413, 415, 422, 502, 503, 504],
            users.handler(),
        )
        .route(delete, "/api/users/{id}", &[204, 400, 401, 404, 413, 502, 503, 504], users.handler())
        .route(get.clone(), "/api/chat/rooms", &[200, 401, 413, 502, 503, 504], rooms.handler())
        .route(get, "/api/notifications", &[200, 401, 413, 422, 502, 503, 504], notifications.handler())
        .route(
            post,
            "/api/notifications",
            &[201, 400, 401, 413, 415, 422, 502, 503, 504],
            notifications.handler(),
        )
        .assemble(
            (),
            &config.faults,
            |registry| outcomes.register(registry),
            // It depends on its upstreams for single routes only: it is healthy when it answers.
            || async { Health::Healthy },
        )
        .map_err(ServeError::Metrics)?;
    let (stop, _) = Stop::new();
    server::serve(listener, NAME, service, stop, shutdown).await
}
