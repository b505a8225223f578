#![doc = include_str!("../README.md")]
//!
//! What this crate deliberately does not know: what the service does, who scrapes it, and which alerts
//! are written over its metrics.

mod builder;
mod distortion;
mod endpoints;
mod exposition;
mod layer;
mod process;
mod recorder;
mod template;

pub use builder::{BuildError, MetricsPlugin, MetricsPluginBuilder};
pub use distortion::{BadExposition, Distortion};
pub use endpoints::Health;
pub use layer::{MetricsLayer, MetricsService, ResponseFuture};
pub use template::TemplateError;
