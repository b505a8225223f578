//! Faults of what a service takes from its host: memory and processor time.

use firedrill_drill::Ratio;
use serde_json::json;

use super::switch::Order;

pub(super) fn memory(bytes: u64) -> Order {
    Order { kind: "memory", with: json!({"bytes": bytes}) }
}

pub(super) fn cpu(busy: Ratio) -> Order {
    Order { kind: "cpu", with: json!({"share": busy.share()}) }
}
