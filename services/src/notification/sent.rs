//! Counting alerts sent, by channel and result.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

/// Alerts of deliveries that were kept and sent (success), or could not be kept (failure).
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) family: Family<SentLabels, Counter>,
    pub(super) success: Counter,
    pub(super) failure: Counter,
}

impl Sent {
    pub(super) fn new() -> Self {
        let family = Family::<SentLabels, Counter>::default();
        let log = |result| family.get_or_create_owned(&SentLabels { channel: "log", result });
        Self { success: log("success"), failure: log("failure"), family: family.clone() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SentLabels {
    channel: &'static str,
    result: &'static str,
}
