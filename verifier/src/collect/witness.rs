//! The harness's own end points on loopback: the gauge that numbers drills, and a webhook beside each real one.
//!
//! The witness only corroborates: the receiver's own word is what counts.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::evidence::{Notification, NotifiedAlert};

/// Alertmanager sends at most so many bytes: thousands of alerts.
const LARGEST_NOTIFICATION: usize = 16 << 20;

#[derive(Debug, Default)]
struct Heard {
    drill: AtomicU32,
    notifications: Mutex<Vec<(Notification, String)>>,
}

/// The running end points.
#[derive(Debug)]
pub struct Witness {
    address: SocketAddr,
    heard: Arc<Heard>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl Witness {
    /// Serves on `listener` until [`Witness::stop`].
    ///
    /// # Errors
    /// When the listener has no address.
    pub fn start(listener: TcpListener) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let heard = Arc::new(Heard::default());
        let router = Router::new()
            .route("/metrics", get(metrics))
            .route("/witness/{receiver}/{index}", post(notified))
            .layer(DefaultBodyLimit::max(LARGEST_NOTIFICATION))
            .with_state(Arc::clone(&heard));
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            let server = axum::serve(listener, router).with_graceful_shutdown(async move {
                // An error means that the sender was dropped: a stop as well.
                let _ = stopped.await;
            });
            if let Err(error) = server.await {
                tracing::warn!(%error, "the witness ended");
            }
        });
        Ok(Self { address, heard, stop: Some(stop), served })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the number of the drill that now begins; Prometheus labels alerts with it from its next scrape on.
    pub fn set_drill(&self, number: u32) {
        self.heard.drill.store(number, Ordering::SeqCst);
    }

    /// All notifications so far, oldest first, each with its raw body.
    pub fn notifications(&self) -> Vec<(Notification, String)> {
        self.heard.notifications.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops serving and waits for it.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            // The server may have ended by itself.
            let _ = stop.send(());
        }
        // Alertmanager's idle connections would hold a graceful end back.
        let limit = std::time::Duration::from_millis(200);
        if tokio::time::timeout(limit, &mut self.served).await.is_err() {
            self.served.abort();
        }
    }
}

async fn metrics(State(heard): State<Arc<Heard>>) -> impl IntoResponse {
    let drill = heard.drill.load(Ordering::SeqCst);
    let body = format!(
        "# HELP firedrill_run Number of the drill that runs now.\n# TYPE firedrill_run gauge\nfiredrill_run {drill}\n"
    );
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], body)
}

async fn notified(
    State(heard): State<Arc<Heard>>,
    Path((receiver, webhook)): Path<(String, u32)>,
    body: String,
) -> StatusCode {
    let received_at = Timestamp::now();
    match parse_webhook(&body, receiver, webhook, received_at) {
        Ok(notification) => {
            heard.notifications.lock().unwrap_or_else(PoisonError::into_inner).push((notification, body));
            StatusCode::OK
        }
        Err(error) => {
            tracing::warn!(%error, "the witness was sent something that is no notification");
            StatusCode::BAD_REQUEST
        }
    }
}

#[derive(Deserialize)]
struct Webhook {
    status: String,
    alerts: Vec<WebhookAlert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WebhookAlert {
    status: String,
    labels: firedrill_record::Labels,
    starts_at: Timestamp,
    ends_at: Timestamp,
}

/// A notification from the body of an Alertmanager webhook, version 4.
pub(super) fn parse_webhook(
    body: &str,
    receiver: String,
    webhook: u32,
    received_at: Timestamp,
) -> Result<Notification, serde_json::Error> {
    let body: Webhook = serde_json::from_str(body)?;
    Ok(Notification {
        received_at,
        receiver,
        webhook,
        status: body.status,
        alerts: body.alerts.into_iter().map(NotifiedAlert::from).collect(),
    })
}

impl From<WebhookAlert> for NotifiedAlert {
    fn from(alert: WebhookAlert) -> Self {
        // An alert that still fires carries the zero time of Go.
        let ends_at = (alert.ends_at > alert.starts_at).then_some(alert.ends_at);
        Self { status: alert.status, labels: alert.labels, starts_at: alert.starts_at, ends_at }
    }
}

#[derive(Deserialize)]
struct StoredPage {
    notifications: Vec<Stored>,
    next: u64,
}

#[derive(Deserialize)]
struct Stored {
    received_at: Timestamp,
    receiver: String,
    status: String,
    alerts: Vec<WebhookAlert>,
}

/// Notifications as the notification service serves them, and the sequence to ask from next.
pub(super) fn parse_stored(body: &str) -> Result<(Vec<Notification>, u64), serde_json::Error> {
    let page: StoredPage = serde_json::from_str(body)?;
    let notifications = page
        .notifications
        .into_iter()
        .map(|one| Notification {
            received_at: one.received_at,
            receiver: one.receiver,
            webhook: 0,
            status: one.status,
            alerts: one.alerts.into_iter().map(NotifiedAlert::from).collect(),
        })
        .collect();
    Ok((notifications, page.next))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"version":"4","status":"firing","receiver":"r","alerts":[{"status":"firing",
        "labels":{"alertname":"A"},"annotations":{},"startsAt":"2026-11-22T14:23:00.123Z",
        "endsAt":"0001-01-01T00:00:00Z"}]}"#;

    #[test]
    fn a_firing_alert_has_no_end() {
        let notification = parse_webhook(BODY, "r".into(), 0, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(notification.alerts[0].ends_at, None);
        assert_eq!(notification.alerts[0].labels["alertname"], "A");
    }

    #[tokio::test]
    async fn the_witness_hears_notifications_numbers_drills_and_refuses_nonsense() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let witness = Witness::start(listener).unwrap();
        witness.set_drill(7);
        let url = |path: &str| format!("http://{}{path}", witness.address());
        let client = reqwest::Client::new();
        let text = client.get(url("/metrics")).send().await.unwrap().text().await.unwrap();
        assert!(text.ends_with("\nfiredrill_run 7\n"), "{text}");
        let send = |body: &'static str| client.post(url("/witness/pager/0")).body(body).send();
        assert_eq!(send(BODY).await.unwrap().status(), 200);
        assert_eq!(send("nonsense").await.unwrap().status(), 400);
        let heard = witness.notifications();
        assert_eq!(heard.len(), 1);
        assert_eq!(heard[0].0.receiver, "pager");
        witness.stop().await;
    }
}
