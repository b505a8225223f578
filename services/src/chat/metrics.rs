//! The chat service's own metrics.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Connections and messages of this process.
#[derive(Clone, Default)]
pub(super) struct ChatMetrics {
    pub(super) connections: Gauge,
    pub(super) sent: Counter,
    pub(super) delivered: Counter,
}

impl ChatMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("websocket_connections", "Open WebSocket connections", self.connections.clone());
        registry.register("messages_sent", "Messages accepted and published", self.sent.clone());
        registry.register("messages_delivered", "Messages written to a member", self.delivered.clone());
    }
}
