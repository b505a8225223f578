//! Journeys: what one user does, as data.

use std::collections::BTreeMap;
use std::time::Duration;

use firedrill_record::{Route, ServiceName};

/// What one user does: set-up once, then the steps again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct Journey {
    /// The journey's name, which is its file's name.
    pub name: String,
    /// What it stands for, in its author's words.
    pub about: String,
    /// Requests made once per user before the first round; closed models do it per user, arrivals once in all.
    pub setup: Vec<Step>,
    /// The requests of one round.
    pub steps: Vec<Step>,
    /// How long a user of the closed model waits between steps.
    pub pace: Pace,
}

/// Waiting between the steps of a closed-model user, drawn uniformly from the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Shortest wait.
    pub at_least: Duration,
    /// Longest wait.
    pub at_most: Duration,
}

/// One request of a journey.
///
/// Path, headers and body may hold `{name}`: a value captured earlier, or one of the built-in `{unique}` (a fresh
/// identifier for each use), `{user}` (an identifier of the user, stable over its rounds).
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What the step does, for reports.
    pub name: String,
    /// Service, method and route template as the service's own metrics name them.
    pub route: Route,
    /// Path with its placeholders and query: `/api/users/{id}?full=1`.
    pub path: String,
    /// Headers with placeholders.
    pub headers: BTreeMap<String, String>,
    /// Body, if any.
    pub body: Option<Body>,
    /// Statuses that mean success; others are failures of the journey, counted but not retried.
    pub expect: Vec<u16>,
    /// Values taken from the answer.
    pub capture: Vec<Capture>,
    /// Requests that the service makes on behalf of this one.
    pub fan_out: Vec<FanOut>,
    /// Longest wait for the answer; afterwards the request's end is unknown.
    pub timeout: Duration,
}

/// A request body.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// JSON with placeholders inside its strings.
    Json(serde_json::Value),
}

/// A value taken from a JSON answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Name under which later steps use it.
    pub name: String,
    /// JSON pointer (RFC 6901) into the answer: `/token`.
    pub pointer: String,
}

/// A request that a service certainly makes when it answers a step with one of some statuses.
///
/// Under any other answer, or none, it may or may not have been made: it is counted as unknown. In a drill that breaks
/// services, their failures are such answers: see `check/fan_out.rs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FanOut {
    /// What is requested upstream.
    pub route: Route,
    /// The status with which it closes.
    pub status: FanOutStatus,
    /// Answers of the step under which it certainly happened.
    pub when: Vec<u16>,
}

/// The status of an implied request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FanOutStatus {
    /// The status of the step itself: the service relays it.
    Same,
    /// Always this one.
    Fixed(u16),
}

impl Journey {
    /// The routes that this journey requests itself or implies.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.setup
            .iter()
            .chain(&self.steps)
            .flat_map(|step| std::iter::once(&step.route).chain(step.fan_out.iter().map(|one| &one.route)))
    }

    /// The services that this journey talks to itself.
    pub fn services(&self) -> impl Iterator<Item = &ServiceName> {
        self.setup.iter().chain(&self.steps).map(|step| &step.route.service)
    }
}
