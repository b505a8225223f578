//! The table of routes of the gateway.

use std::sync::Arc;

use http::Method;
use metrics_plugin::Health;
use tokio::net::TcpListener;

use super::openapi;
use super::outcomes::Outcomes;
use super::relay::{Access, Relay};
use super::upstream::Upstream;
use crate::assembly::Routes;
use crate::config::GatewayConfig;
use crate::server::{self, ServeError, Stop, Stopping};

const NAME: &str = "gateway";

/// Serves until `shutdown` completes and what is in flight, WebSockets too, has ended.
pub async fn serve(
    listener: TcpListener,
    config: GatewayConfig,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let outcomes = Outcomes::default();
    let (stop, stopping) = Stop::new();
    let service = routes(&config, &outcomes, stopping)
        .assemble(
            (),
            &config.faults,
            |registry| outcomes.register(registry),
            // It depends on its upstreams for single routes only: it is healthy when it answers.
            || async { Health::Healthy },
        )
        .map_err(ServeError::Metrics)?;
    server::serve(listener, NAME, service, stop, shutdown).await
}

fn routes(config: &GatewayConfig, outcomes: &Outcomes, stopping: Stopping) -> Routes<()> {
    let upstream = |name, config| Arc::new(Upstream::new(name, config, outcomes));
    let auth = upstream("auth", &config.auth);
    let user = upstream("user", &config.user);
    let chat = upstream("chat", &config.chat);
    let notification = upstream("notification", &config.notification);

    let public = Relay::new(&auth, "/api/auth", Access::Public);
    let protected = |upstream, prefix| Relay::new(upstream, prefix, Access::Verified(Arc::clone(&auth)));
    let users = protected(&user, "/api");
    let rooms = protected(&chat, "/api/chat");
    let sockets = rooms.clone().with_tunnels(stopping);
    let notifications = protected(&notification, "/api");

    Routes::of(NAME)
        .route(
            Method::POST,
            "/api/auth/register",
            &[201, 400, 408, 409, 413, 415, 422, 502, 503, 504],
            public.handler(),
        )
        .route(
            Method::POST,
            "/api/auth/login",
            &[200, 400, 401, 408, 413, 415, 422, 429, 502, 503, 504],
            public.handler(),
        )
        .route(
            Method::POST,
            "/api/auth/refresh",
            &[200, 400, 401, 408, 413, 415, 422, 502, 503, 504],
            public.handler(),
        )
        .route(Method::POST, "/api/auth/logout", &[204, 400, 401, 408, 413, 502, 503, 504], public.handler())
        .route(Method::GET, "/api/auth/verify", &[200, 401, 502, 503, 504], public.handler())
        .route(Method::GET, "/api/users", &[200, 401, 422, 502, 503, 504], users.handler())
        .route(
            Method::POST,
            "/api/users",
            &[201, 400, 401, 408, 409, 413, 415, 422, 502, 503, 504],
            users.handler(),
        )
        .route(Method::GET, "/api/users/search", &[200, 401, 422, 502, 503, 504], users.handler())
        .route(Method::GET, "/api/users/{id}", &[200, 304, 400, 401, 404, 502, 503, 504], users.handler())
        .route(
            Method::PUT,
            "/api/users/{id}",
            &[200, 400, 401, 404, 408, 409, 412, 413, 415, 422, 502, 503, 504],
            users.handler(),
        )
        .route(Method::DELETE, "/api/users/{id}", &[204, 400, 401, 404, 412, 502, 503, 504], users.handler())
        .route(Method::GET, "/api/chat/rooms", &[200, 401, 502, 503, 504], rooms.handler())
        .route(
            Method::GET,
            "/api/chat/rooms/{room}/messages",
            &[200, 400, 401, 422, 502, 503, 504],
            rooms.handler(),
        )
        .route(
            Method::GET,
            "/api/chat/rooms/{room}/ws",
            &[101, 400, 401, 422, 426, 502, 503, 504],
            sockets.handler(),
        )
        .route(Method::GET, "/api/notifications", &[200, 401, 422, 502, 503, 504], notifications.handler())
        .route(
            Method::POST,
            "/api/notifications",
            &[201, 400, 401, 408, 413, 415, 422, 502, 503, 504],
            notifications.handler(),
        )
        .route(Method::GET, "/openapi.json", &[200], openapi::document)
}
