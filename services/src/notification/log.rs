//! The channel `log`: one line for each alert.

use super::delivery::{nested, text};
use super::queue::Job;

/// The log target of the channel.
pub(crate) const LOG_CHANNEL_TARGET: &str = "notification_channel";

pub(super) fn write(job: &Job) {
    for alert in &job.notification.alerts {
        tracing::info!(
            target: LOG_CHANNEL_TARGET,
            sequence = job.sequence,
            receiver = job.notification.receiver,
            alertname = nested(alert, "labels", "alertname"),
            severity = nested(alert, "labels", "severity"),
            status = text(alert, "status"),
            fingerprint = text(alert, "fingerprint"),
            starts_at = text(alert, "startsAt"),
            "alert"
        );
    }
}
