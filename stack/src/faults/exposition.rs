//! Faults of what a service says about itself.

use firedrill_drill::BadMetrics;
use serde_json::json;

use super::switch::Order;

pub(super) fn bad_metrics(how: BadMetrics) -> Order {
    let how = match how {
        BadMetrics::Missing => "missing",
        BadMetrics::WrongLabels => "wrong_labels",
        BadMetrics::Garbage => "garbage",
    };
    Order { kind: "bad_metrics", with: json!({"how": how}) }
}
