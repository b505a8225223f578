//! A server on loopback that counts what it answers, and can be told to misbehave.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{MatchedPath, Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use firedrill_loadgen::{LoadPlan, RunningLoad};
use firedrill_record::{Ledger, LedgerRow, ServiceName};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::rooms::{Rooms, join_room};

/// Method, route template and status to the number of answers.
pub(crate) type Counts = BTreeMap<(String, String, u16), u64>;

#[derive(Default)]
pub(crate) struct Behaviour {
    pub(crate) counts: Mutex<Counts>,
    pub(crate) in_flight: AtomicU64,
    /// `/fail` and `/tokens` answer with an error, and upgrades are refused.
    pub(crate) failing: AtomicBool,
    /// Which tokens are accepted.
    token_epoch: AtomicU64,
    pub(crate) rooms: Rooms,
}

impl Behaviour {
    /// Accepts no token that was given so far.
    pub(crate) fn expire_tokens(&self) {
        self.token_epoch.fetch_add(1, Ordering::Relaxed);
    }

    fn token(&self) -> String {
        format!("token {}", self.token_epoch.load(Ordering::Relaxed))
    }
}

pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) behaviour: Arc<Behaviour>,
    stop: watch::Sender<bool>,
    server: Option<tokio::task::JoinHandle<()>>,
}

impl Target {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let behaviour = Arc::new(Behaviour::default());
        let routes = Router::new()
            .route("/users", post(create_user))
            .route("/users/{id}", get(read_user))
            .route("/fail", get(fail))
            .route("/tokens", post(log_in))
            .route("/guarded", get(guarded))
            .route("/hang", get(std::future::pending::<()>))
            .route("/elsewhere", get(async || Redirect::to("/users/elsewhere")))
            .route("/rooms/{room}/ws", get(join_room))
            .layer(middleware::from_fn_with_state(Arc::clone(&behaviour), count))
            .with_state(Arc::clone(&behaviour));
        let (stop, mut stopped) = watch::channel(false);
        let server = tokio::spawn(async move {
            tokio::select! {
                served = axum::serve(listener, routes) => served.unwrap(),
                _ = stopped.wait_for(|stop| *stop) => {}
            }
        });
        Self { address, behaviour, stop, server: Some(server) }
    }

    /// Stops listening; connections that are there stay.
    pub(crate) async fn stop_listening(&mut self) {
        self.stop.send_replace(true);
        self.server.take().unwrap().await.unwrap();
    }

    pub(crate) fn plan(&self, loads: Vec<firedrill_drill::Load>) -> LoadPlan {
        LoadPlan {
            loads,
            targets: ["user", "chat"].map(|name| (service(name), self.address)).into(),
            chat_service: service("chat"),
            seed: 1,
            unique_prefix: "t".to_owned(),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.behaviour.counts.lock().unwrap().clone()
    }
}

pub(crate) fn service(name: &str) -> ServiceName {
    name.parse().unwrap()
}

/// The direct rows of a ledger in the server's words.
pub(crate) fn direct(ledger: &Ledger) -> Counts {
    ledger
        .rows
        .iter()
        .filter(|row| row.direct)
        .flat_map(|row| {
            let (method, route) = (&row.route.method, &row.route.route);
            row.closed.iter().map(|(status, count)| ((method.clone(), route.clone(), *status), *count))
        })
        .collect()
}

pub(crate) fn row<'a>(ledger: &'a Ledger, route: &str) -> &'a LedgerRow {
    ledger.rows.iter().find(|row| row.route.route == route && row.direct).unwrap()
}

/// Waits until `holds`, and fails with `what` after ten seconds.
pub(crate) async fn until(what: &str, load: &RunningLoad, holds: impl Fn(&Ledger) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds(&load.snapshot()) {
        assert!(Instant::now() < deadline, "waited in vain until {what}: {:#?}", load.snapshot().rows);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn count(State(behaviour): State<Arc<Behaviour>>, request: Request, next: Next) -> Response {
    let method = request.method().to_string();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    behaviour.in_flight.fetch_add(1, Ordering::Relaxed);
    let answer = next.run(request).await;
    *behaviour.counts.lock().unwrap().entry((method, route, answer.status().as_u16())).or_default() += 1;
    behaviour.in_flight.fetch_sub(1, Ordering::Relaxed);
    answer
}

async fn create_user(Json(user): Json<Value>) -> (StatusCode, Json<Value>) {
    (StatusCode::CREATED, Json(json!({ "id": format!("id of {}", user["name"].as_str().unwrap()) })))
}

/// Only users whom `create_user` made exist.
async fn read_user(Path(id): Path<String>) -> StatusCode {
    if id.starts_with("id of t-") { StatusCode::OK } else { StatusCode::NOT_FOUND }
}

async fn log_in(State(behaviour): State<Arc<Behaviour>>) -> (StatusCode, Json<Value>) {
    if behaviour.failing.load(Ordering::Relaxed) {
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({})));
    }
    (StatusCode::CREATED, Json(json!({ "token": behaviour.token() })))
}

async fn guarded(State(behaviour): State<Arc<Behaviour>>, headers: HeaderMap) -> StatusCode {
    let accepted = format!("Bearer {}", behaviour.token());
    if headers.get("authorization").is_some_and(|token| token.as_bytes() == accepted.as_bytes()) {
        StatusCode::OK
    } else {
        StatusCode::UNAUTHORIZED
    }
}

async fn fail(State(behaviour): State<Arc<Behaviour>>) -> (StatusCode, Json<Value>) {
    if behaviour.failing.load(Ordering::Relaxed) {
        (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({})))
    } else {
        (StatusCode::OK, Json(json!({ "id": "id of t-0" })))
    }
}
