//! Counting logins and refreshes by their result.
//!
//! Only what was decided is counted: neither a request that was malformed, nor one for which Redis was away or
//! hashing was too busy.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The counters of this service, all of them at 0 from the start.
#[derive(Clone)]
pub(super) struct AuthMetrics {
    pub(super) attempts: Attempts,
    pub(super) refreshes: Refreshes,
    families: [(&'static str, &'static str, Family<ResultLabels, Counter>); 2],
}

/// Logins.
#[derive(Clone)]
pub(super) struct Attempts {
    pub(super) success: Counter,
    pub(super) failure: Counter,
    pub(super) rate_limited: Counter,
}

/// Uses of refresh tokens.
#[derive(Clone)]
pub(super) struct Refreshes {
    pub(super) success: Counter,
    pub(super) failure: Counter,
    pub(super) reused: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

impl AuthMetrics {
    pub(super) fn new() -> Self {
        let attempts = Family::<ResultLabels, Counter>::default();
        let refreshes = Family::<ResultLabels, Counter>::default();
        let counter = |family: &Family<ResultLabels, Counter>, result| {
            family.get_or_create_owned(&ResultLabels { result })
        };
        Self {
            attempts: Attempts {
                success: counter(&attempts, "success"),
                failure: counter(&attempts, "failure"),
                rate_limited: counter(&attempts, "rate_limited"),
            },
            refreshes: Refreshes {
                success: counter(&refreshes, "success"),
                failure: counter(&refreshes, "failure"),
                reused: counter(&refreshes, "reused"),
            },
            families: [
                ("auth_attempts", "Logins by their result", attempts),
                ("auth_refreshes", "Uses of refresh tokens by their result", refreshes),
            ],
        }
    }

    pub(super) fn register(self, registry: &mut Registry) {
        for (name, help, family) in self.families {
            registry.register(name, help, family);
        }
    }
}
