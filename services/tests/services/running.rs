//! Services running inside the test, and waiting for a condition.

use std::net::SocketAddr;
use std::time::Duration;

use firedrill_services::notification::NotificationConfig;
use firedrill_services::{
    AuthConfig, FaultSwitchConfig, GatewayConfig, Secret, ServeError, StoreServiceConfig, UpstreamConfig,
    auth, chat, gateway, notification, user,
};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const FAULT_TOKEN: &str = "the fault token";

/// A service that runs until it is stopped or the test ends.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Tells it to stop, without waiting.
    pub(crate) fn begin_to_stop(self) -> JoinHandle<Result<(), ServeError>> {
        let _ = self.stop.send(());
        self.served
    }

    async fn start<F>(serve: impl FnOnce(TcpListener, oneshot::Receiver<()>) -> F) -> Self
    where
        F: Future<Output = Result<(), ServeError>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(serve(listener, stopped));
        Self { address, stop, served }
    }

    pub(crate) async fn user(redis: Secret, faults: FaultSwitchConfig) -> Self {
        let config = StoreServiceConfig { redis_url: redis, faults };
        Self::start(|listener, stop| user::serve(listener, config, told(stop))).await
    }

    pub(crate) async fn chat(redis: Secret) -> Self {
        let config = StoreServiceConfig { redis_url: redis, faults: with_token() };
        let chat = Self::start(|listener, stop| chat::serve(listener, config, told(stop))).await;
        let health = chat.url("/health");
        until("chat is subscribed", async || crate::client::get(&health).await.status == 200).await;
        chat
    }

    pub(crate) async fn notification(redis: Secret) -> Self {
        let service = StoreServiceConfig { redis_url: redis, faults: with_token() };
        Self::notification_with(NotificationConfig::new(service)).await
    }

    pub(crate) async fn notification_with(config: NotificationConfig) -> Self {
        Self::start(|listener, stop| notification::serve(listener, config, told(stop))).await
    }

    pub(crate) async fn auth(redis: Secret) -> Self {
        let key = Secret::new("a key of more than sixteen bytes");
        let config = AuthConfig { redis_url: redis, token_signing_key: key, faults: with_token() };
        Self::start(|listener, stop| auth::serve(listener, config, told(stop))).await
    }

    /// The upstreams in the order auth, user, chat, notification.
    pub(crate) async fn gateway(upstreams: [SocketAddr; 4], timeout: Duration) -> Self {
        let [auth, user, chat, notification] = upstreams.map(|address| UpstreamConfig {
            url: format!("http://{address}").parse().expect("valid url"),
            timeout,
        });
        let config = GatewayConfig { auth, user, chat, notification, faults: with_token() };
        Self::start(|listener, stop| gateway::serve(listener, config, told(stop))).await
    }
}

pub(crate) fn with_token() -> FaultSwitchConfig {
    FaultSwitchConfig { token: Some(Secret::new(FAULT_TOKEN)), inert: false }
}

async fn told(stop: oneshot::Receiver<()>) {
    if stop.await.is_err() {
        // The test ends without stopping the service.
        std::future::pending::<()>().await;
    }
}

/// Waits for a condition, 10 s at most.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), waiting).await.is_ok(), "waited 10 s until {what}");
}
