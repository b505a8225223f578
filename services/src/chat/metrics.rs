//! The chat service's own metrics.

use axum::extract::ws::{CloseCode, close_code};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What stands for a connection that ended without a closing handshake; it is never on the wire.
pub(super) const ABNORMAL: CloseCode = 1006;
/// Every code that a connection can be counted under.
const CODES: [CloseCode; 9] = [
    close_code::NORMAL,
    close_code::AWAY,
    close_code::UNSUPPORTED,
    ABNORMAL,
    close_code::INVALID,
    close_code::POLICY,
    close_code::SIZE,
    close_code::ERROR,
    close_code::AGAIN,
];

/// Connections and messages of this process.
#[derive(Clone)]
pub(super) struct ChatMetrics {
    pub(super) connections: Gauge,
    pub(super) sent: Counter,
    pub(super) delivered: Counter,
    pub(super) slow_consumers_dropped: Counter,
    closes: Family<Closed, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Closed {
    code: u32,
}

impl ChatMetrics {
    pub(super) fn new() -> Self {
        let closes = Family::default();
        for code in CODES {
            drop(closes.get_or_create(&Closed { code: code.into() }));
        }
        Self {
            connections: Gauge::default(),
            sent: Counter::default(),
            delivered: Counter::default(),
            slow_consumers_dropped: Counter::default(),
            closes,
        }
    }

    pub(super) fn closed(&self, code: CloseCode) {
        self.closes.get_or_create(&Closed { code: code.into() }).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("websocket_connections", "Open WebSocket connections", self.connections.clone());
        registry.register(
            "websocket_closes",
            "WebSocket connections ended, by close code",
            self.closes.clone(),
        );
        registry.register("messages_sent", "Messages accepted and published", self.sent.clone());
        registry.register("messages_delivered", "Messages written to a member", self.delivered.clone());
        registry.register(
            "slow_consumers_dropped",
            "Members let go because they read too slowly",
            self.slow_consumers_dropped.clone(),
        );
    }
}
