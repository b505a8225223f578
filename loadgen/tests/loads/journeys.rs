//! Journeys for tests, and the one attack a process may have.

use std::collections::BTreeMap;
use std::time::Duration;

use firedrill_drill::{Body, Capture, FanOut, FanOutStatus, Journey, Load, Pace, Step};
use firedrill_record::Route;
use serde_json::json;

use super::target::service;

/// goose runs one attack at a time in a process: tests with closed models take turns.
pub(crate) static ONE_ATTACK: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

pub(crate) fn step(method: &str, route: &str, path: &str) -> Step {
    Step {
        name: format!("{method} {route}"),
        route: Route { service: service("user"), method: method.to_owned(), route: route.to_owned() },
        path: path.to_owned(),
        headers: BTreeMap::new(),
        body: None,
        expect: vec![200],
        capture: Vec::new(),
        fan_out: Vec::new(),
        timeout: Duration::from_secs(5),
    }
}

/// Makes a user and captures its id.
pub(crate) fn create_user() -> Step {
    Step {
        body: Some(Body::Json(json!({ "name": "{user}", "note": "{unique}" }))),
        expect: vec![201],
        capture: vec![Capture { name: "id".to_owned(), pointer: "/id".to_owned() }],
        ..step("POST", "/users", "/users")
    }
}

pub(crate) fn read_user() -> Step {
    step("GET", "/users/{id}", "/users/{id}?full=1")
}

/// The same, and the service asks a `store` for it.
pub(crate) fn read_user_from_store() -> Step {
    let store = Route { service: service("store"), method: "GET".to_owned(), route: "/records".to_owned() };
    Step {
        fan_out: vec![FanOut { route: store, status: FanOutStatus::Same, when: vec![200] }],
        ..read_user()
    }
}

pub(crate) fn journey(name: &str, setup: Vec<Step>, steps: Vec<Step>) -> Journey {
    let pace = Pace { at_least: Duration::from_millis(1), at_most: Duration::from_millis(5) };
    Journey { name: name.to_owned(), about: String::new(), setup, steps, pace }
}

pub(crate) fn users(users: u32, journey: Journey) -> Load {
    Load::Journey { journey, users }
}

pub(crate) fn arrivals(rate: &str, journey: Journey) -> Load {
    Load::Arrivals { journey, rate: rate.parse().unwrap() }
}
