//! The harness's own end points on loopback: the gauge that numbers drills, synthetic gauges, and a webhook beside each
//! real one.
//!
//! The witness only corroborates: the receiver's own word is what counts.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::planted::{Planted, Setting, Until};
use crate::evidence::{GaugeScrape, Notification, NotifiedAlert};

/// Alertmanager sends at most so many bytes: thousands of alerts.
const LARGEST_NOTIFICATION: usize = 16 << 20;
/// Prometheus says with each scrape how long it waits; nobody else does.
const OF_A_SCRAPE: &str = "x-prometheus-scrape-timeout-seconds";

#[derive(Debug, Default)]
struct Heard {
    drill: AtomicU32,
    planted: Mutex<Planted>,
    notifications: Mutex<Vec<(Notification, String)>>,
}

impl Heard {
    fn planted(&self) -> MutexGuard<'_, Planted> {
        self.planted.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
            .route("/planted/{gauge}", put(set_gauge).delete(end_gauge))
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

    /// Exposes these synthetic gauges at 0, and no others: those of the drill that now begins.
    pub fn set_gauges<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        self.heard.planted().begin(names);
    }

    /// Every scrape of the synthetic gauges by Prometheus since they were exposed, oldest first.
    pub fn gauge_scrapes(&self) -> Vec<GaugeScrape> {
        self.heard.planted().scrapes()
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

async fn metrics(State(heard): State<Arc<Heard>>, headers: HeaderMap) -> impl IntoResponse {
    let drill = heard.drill.load(Ordering::SeqCst);
    let planted = heard.planted().exposed(Timestamp::now(), headers.contains_key(OF_A_SCRAPE));
    let body = format!(
        "{planted}# HELP firedrill_run Number of the drill that runs now.\n# TYPE firedrill_run gauge\nfiredrill_run {drill}\n"
    );
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], body)
}

async fn set_gauge(
    State(heard): State<Arc<Heard>>,
    Path(gauge): Path<String>,
    Json(setting): Json<Setting>,
) -> Result<Json<Until>, StatusCode> {
    heard.planted().set(&gauge, setting, Timestamp::now()).map(Json).ok_or(StatusCode::BAD_REQUEST)
}

async fn end_gauge(
    State(heard): State<Arc<Heard>>,
    Path(gauge): Path<String>,
) -> Result<Json<Until>, StatusCode> {
    heard.planted().end(&gauge, Timestamp::now()).map(Json).ok_or(StatusCode::NOT_FOUND)
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

    #[tokio::test]
    async fn a_synthetic_gauge_is_set_for_a_time_and_ended_and_scrapes_of_prometheus_are_noted() {
        let witness = Witness::start(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
        witness.set_gauges(["default"]);
        let url = |path: &str| format!("http://{}{path}", witness.address());
        let client = reqwest::Client::new();
        let scraped = async || {
            let scrape = client.get(url("/metrics")).header(OF_A_SCRAPE, "10");
            let text = scrape.send().await.unwrap().text().await.unwrap();
            text.lines().find(|line| line.starts_with("firedrill_planted")).unwrap().to_owned()
        };
        let set = |body: &'static str| {
            let order = client.put(url("/planted/default")).header("content-type", "application/json");
            order.body(body).send()
        };
        assert_eq!(client.delete(url("/planted/default")).send().await.unwrap().status(), 404);
        assert_eq!(set(r#"{"value": 1e999, "for_ms": 60000}"#).await.unwrap().status(), 400);
        assert_eq!(set(r#"{"value": 2.5, "for_ms": 60000}"#).await.unwrap().status(), 200);
        assert_eq!(scraped().await, "firedrill_planted{gauge=\"default\"} 2.5");
        assert_eq!(client.delete(url("/planted/default")).send().await.unwrap().status(), 200);
        assert_eq!(scraped().await, "firedrill_planted{gauge=\"default\"} 0");
        client.get(url("/metrics")).send().await.unwrap();
        let noted: Vec<f64> = witness.gauge_scrapes().iter().map(|one| one.value).collect();
        assert_eq!(noted, [2.5, 0.0]);
        witness.stop().await;
    }
}
