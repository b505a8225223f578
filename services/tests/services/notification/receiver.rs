//! Whoever receives what the service posts: it answers as planned, and remembers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use firedrill_services::Secret;
use firedrill_services::notification::Endpoint;
use serde_json::Value;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Notify;

/// How a post is answered.
#[derive(Clone, Copy)]
pub(super) enum Plan {
    Answer(u16),
    /// Not at all.
    Hang,
    /// With 200, as soon as it may.
    Hold,
}

#[derive(Clone)]
pub(super) struct Post {
    pub(super) key: String,
    pub(super) body: Value,
    pub(super) accepted: bool,
}

#[derive(Clone)]
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    posts: Arc<Mutex<Vec<Post>>>,
    plans: Arc<Mutex<VecDeque<Plan>>>,
    afterwards: Arc<Mutex<Plan>>,
    /// What is held may be answered.
    pub(super) release: Arc<Notify>,
}

impl Receiver {
    /// Answers with `plans` one after the other, then always with `afterwards`.
    pub(super) fn start(plans: &[Plan], afterwards: Plan) -> Self {
        let (receiver, socket) = Self::refusing(plans, afterwards);
        receiver.listen(socket);
        receiver
    }

    /// Refuses connections until it listens; nobody else can have its port.
    pub(super) fn refusing(plans: &[Plan], afterwards: Plan) -> (Self, TcpSocket) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let receiver = Self {
            address: socket.local_addr().expect("bound"),
            posts: Arc::default(),
            plans: Arc::new(Mutex::new(plans.iter().copied().collect())),
            afterwards: Arc::new(Mutex::new(afterwards)),
            release: Arc::default(),
        };
        (receiver, socket)
    }

    pub(super) fn listen(&self, socket: TcpSocket) {
        let listener: TcpListener = socket.listen(16).expect("it can listen");
        let router = Router::new().route("/hook", post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        Endpoint::parse(&Secret::new(format!("http://{}/hook", self.address))).expect("a URL")
    }

    pub(super) fn answer_from_now_on(&self, plan: Plan) {
        *self.afterwards.lock().expect("not poisoned") = plan;
    }

    pub(super) fn posts(&self) -> Vec<Post> {
        self.posts.lock().expect("not poisoned").clone()
    }

    /// The sequences of the posts that were accepted, in the order of their coming.
    pub(super) fn accepted(&self) -> Vec<u64> {
        let sequence = |post: &Post| post.body["sequence"].as_u64().expect("a number");
        self.posts().iter().filter(|post| post.accepted).map(sequence).collect()
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, Json(body): Json<Value>) -> StatusCode {
    let planned = receiver.plans.lock().expect("not poisoned").pop_front();
    let plan = planned.unwrap_or_else(|| *receiver.afterwards.lock().expect("not poisoned"));
    let key = headers["idempotency-key"].to_str().expect("ascii").to_owned();
    let accepted = matches!(plan, Plan::Answer(200..300) | Plan::Hold);
    receiver.posts.lock().expect("not poisoned").push(Post { key, body, accepted });
    match plan {
        Plan::Answer(status) => StatusCode::from_u16(status).expect("a status"),
        Plan::Hang => std::future::pending().await,
        Plan::Hold => {
            receiver.release.notified().await;
            StatusCode::OK
        }
    }
}
