//! Counting what never became a request: the layer that counts requests does not see it.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

/// `http_malformed_requests_total`.
#[derive(Debug, Clone)]
pub(crate) struct Malformed {
    family: Family<ReasonLabels, Counter>,
    /// No HTTP request by its syntax; answered 400.
    pub(super) syntax: Counter,
    /// The head has too many headers or bytes; answered 431 or 414.
    pub(super) too_large: Counter,
    /// The head began and did not end in time; the connection was closed.
    pub(super) too_slow: Counter,
}

impl Malformed {
    pub(crate) fn new() -> Self {
        let family = Family::default();
        let reason = |reason| {
            let family: &Family<ReasonLabels, Counter> = &family;
            family.get_or_create_owned(&ReasonLabels { reason })
        };
        let (syntax, too_large, too_slow) = (reason("syntax"), reason("too_large"), reason("too_slow"));
        Self { family, syntax, too_large, too_slow }
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Connections ended because of a request head that could not be read";
        registry.register("http_malformed_requests", help, self.family.clone());
    }
}
