//! Faults of a service's answers: errors, latency, hanging, slow bodies.

use std::time::Duration;

use firedrill_drill::Ratio;
use serde_json::json;

use super::switch::{Order, milliseconds};

pub(super) fn errors(ratio: Ratio) -> Order {
    Order { kind: "errors", with: json!({"ratio": ratio.share()}) }
}

/// Of all routes without `route`.
pub(super) fn latency(added: Duration, route: Option<&str>) -> Order {
    let mut with = json!({"added_ms": milliseconds(added)});
    if let Some(route) = route {
        with["route"] = route.into();
    }
    Order { kind: "latency", with }
}

pub(super) fn hang() -> Order {
    Order { kind: "hang", with: json!({}) }
}

pub(super) fn slow_body(takes: Duration) -> Order {
    Order { kind: "slow_body", with: json!({"takes_ms": milliseconds(takes)}) }
}
