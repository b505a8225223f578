//! Thin clients of the HTTP APIs of Prometheus and Alertmanager (v2) that keep what the server said.
//!
//! Every call returns a [`Reply`]: the parsed value and the raw body, so that evidence can be stored and judged
//! again later. A reply that is cut off, empty, too large or of another shape is an [`ApiError`], never an empty
//! success. Nothing is retried and nothing is cached; redirects and proxies are not followed.
//!
//! The crate knows nothing of drills or verdicts, does not wait for anything, and speaks plain HTTP only.

pub mod alertmanager;
mod duration;
mod error;
mod instants;
pub mod prometheus;
mod reply;
mod transport;

pub use alertmanager::Alertmanager;
pub use error::ApiError;
pub use prometheus::Prometheus;
pub use reply::{Labels, MetricsText, Reply};
