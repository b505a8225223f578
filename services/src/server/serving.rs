//! Serving until told to stop, then finishing what is in flight within a bound.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use metrics_plugin::{BuildError, MetricsService};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::connection::{ConnectionId, converse};
use super::door::Door;
use super::malformed::Malformed;
use super::refusal::{Refusal, Wanted};
use super::stop::Stop;
use super::stream::{Control, Stream};

/// How long requests in flight and open sockets may take to end after the shutdown began.
const GRACE: Duration = Duration::from_secs(5);
/// Those beyond wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 4096;

/// Why a service could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The Redis client refused the URL.
    #[error("failed to set up redis")]
    Redis(#[source] redis::RedisError),
    /// The hash function refused its parameters.
    #[error("failed to set up password hashing")]
    PasswordHashing,
    /// The routes and the metrics disagree.
    #[error("failed to set up metrics")]
    Metrics(#[source] BuildError),
    /// The listener failed.
    #[error("failed to serve")]
    Listener(#[source] io::Error),
}

/// What is served.
pub(crate) struct Application {
    /// Answers the requests.
    pub(crate) service: MetricsService<Router>,
    /// Counts what never became a request.
    pub(crate) malformed: Malformed,
    /// Says when to refuse connections.
    pub(crate) refusal: Refusal,
}

/// Serves until `shutdown`: then accepts nothing more, and returns when all is finished, after 5 s at most.
pub(crate) async fn serve(
    listener: TcpListener,
    name: &str,
    application: Application,
    stop: Stop,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let Application { service, malformed, mut refusal } = application;
    let mut door = Door::new(listener).map_err(ServeError::Listener)?;
    tracing::info!(service = name, address = %door.address(), "listening");
    let mut connections = Connections::new();
    let mut wanted = Wanted::Listen;
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            changed = refusal.changed() => {
                wanted = changed;
                if let Wanted::Refuse { except, number } = wanted {
                    door.shut();
                    connections.close_all_but(except);
                    refusal.obeyed(number);
                    tracing::info!(service = name, "refusing connections");
                }
            }
            Some(_) = connections.tasks.join_next() => {}
            socket = next(&mut door, wanted, &connections.permits) => {
                connections.begin(socket, &service, &malformed, &stop);
            }
        }
    }
    tracing::info!(service = name, "stopping");
    drop((door, service));
    stop.begin();
    let finished = tokio::time::timeout(GRACE, async {
        while connections.tasks.join_next().await.is_some() {}
        stop.nobody_left().await;
    });
    if finished.await.is_err() {
        tracing::warn!(service = name, "what was still in flight was cut off");
    }
    tracing::info!(service = name, "stopped");
    Ok(())
}

/// The next connection, once there is room for it.
async fn next(door: &mut Door, wanted: Wanted, permits: &Semaphore) -> TcpStream {
    if wanted == Wanted::Listen {
        door.open().await;
    }
    // Closed it never is; the room itself is taken when the connection begins.
    let _room = permits.acquire().await;
    door.accept().await
}

/// The open connections.
struct Connections {
    tasks: JoinSet<()>,
    permits: Arc<Semaphore>,
    next: u64,
    controls: HashMap<u64, Weak<Control>>,
}

impl Connections {
    fn new() -> Self {
        let permits = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        Self { tasks: JoinSet::new(), permits, next: 0, controls: HashMap::new() }
    }

    fn begin(
        &mut self,
        socket: TcpStream,
        service: &MetricsService<Router>,
        malformed: &Malformed,
        stop: &Stop,
    ) {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        let peer = socket.peer_addr().ok();
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { return };
        let stream = Stream::new(socket, permit);
        let id = ConnectionId(self.next);
        self.next += 1;
        self.forget_the_ended();
        self.controls.insert(id.0, Arc::downgrade(&stream.control()));
        let (service, malformed, stopping) = (service.clone(), malformed.clone(), stop.stopping());
        self.tasks.spawn(converse(stream, (id, peer), service, malformed, stopping));
    }

    /// Upgraded connections outlive their task: who is still there is found out when the table has grown.
    fn forget_the_ended(&mut self) {
        if self.controls.len() == self.controls.capacity() {
            self.controls.retain(|_, control| control.strong_count() > 0);
        }
    }

    fn close_all_but(&mut self, except: ConnectionId) {
        for (id, control) in &self.controls {
            let Some(control) = control.upgrade() else { continue };
            if *id == except.0 {
                control.keep();
            } else {
                control.close();
            }
        }
    }
}
