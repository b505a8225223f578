//! The notification service's own metrics: what became of deliveries, and of each channel's jobs.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// All of them; a channel's are there from the moment it is named.
#[derive(Clone, Default)]
pub(super) struct NotificationMetrics {
    /// Deliveries that were here already.
    pub(super) duplicates: Counter,
    sent: Family<SentLabels, Counter>,
    retries: Family<ChannelLabel, Counter>,
    dead_letters: Family<ChannelLabel, Counter>,
    queue_length: Family<ChannelLabel, Gauge>,
}

/// One channel's.
#[derive(Clone)]
pub(super) struct ChannelMetrics {
    success: Counter,
    failure: Counter,
    retries: Counter,
    dead_letters: Counter,
    queue_length: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SentLabels {
    channel: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChannelLabel {
    channel: &'static str,
}

impl NotificationMetrics {
    /// A channel's own, all at 0.
    pub(super) fn channel(&self, channel: &'static str) -> ChannelMetrics {
        let sent = |result| self.sent.get_or_create_owned(&SentLabels { channel, result });
        let label = ChannelLabel { channel };
        ChannelMetrics {
            success: sent("success"),
            failure: sent("failure"),
            retries: self.retries.get_or_create_owned(&label),
            dead_letters: self.dead_letters.get_or_create_owned(&label),
            queue_length: self.queue_length.get_or_create_owned(&label),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("notifications_sent", "Alerts sent, by channel and result", self.sent.clone());
        registry.register(
            "notification_duplicates",
            "Deliveries that were kept already",
            self.duplicates.clone(),
        );
        registry.register(
            "notification_retries",
            "Attempts that failed and are made again, by channel",
            self.retries.clone(),
        );
        registry.register(
            "notifications_dead_letters",
            "Deliveries given up, by channel",
            self.dead_letters.clone(),
        );
        registry.register(
            "notification_queue_length",
            "Deliveries waiting to be sent, by channel",
            self.queue_length.clone(),
        );
    }
}

impl ChannelMetrics {
    pub(super) fn sent(&self, alerts: u64) {
        self.success.inc_by(alerts);
    }

    /// The alerts were not even queued.
    pub(super) fn not_kept(&self, alerts: u64) {
        self.failure.inc_by(alerts);
    }

    pub(super) fn retried(&self) {
        self.retries.inc();
    }

    pub(super) fn given_up(&self, alerts: u64) {
        self.failure.inc_by(alerts);
        self.dead_letters.inc();
    }

    pub(super) fn queued(&self, jobs: u64) {
        self.queue_length.set(i64::try_from(jobs).unwrap_or(i64::MAX));
    }
}
