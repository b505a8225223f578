//! Counting logins by their result.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

/// Logins that were decided; one that could not be (Redis away) is none.
#[derive(Clone)]
pub(super) struct Attempts {
    pub(super) family: Family<AttemptLabels, Counter>,
    pub(super) success: Counter,
    pub(super) failure: Counter,
}

impl Attempts {
    pub(super) fn new() -> Self {
        let family = Family::<AttemptLabels, Counter>::default();
        let success = family.get_or_create_owned(&AttemptLabels { result: "success" });
        let failure = family.get_or_create_owned(&AttemptLabels { result: "failure" });
        Self { family, success, failure }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AttemptLabels {
    result: &'static str,
}
