//! A strict parser of what a `/metrics` endpoint says: Prometheus text format 0.0.4 and OpenMetrics 1.0.
//!
//! A judge of monitoring must not repair what it reads: every construct the formats forbid is refused with its
//! line and column, and everything accepted is kept as it was written (names with `:`, unescaped label values,
//! timestamps, exemplars). Whether histograms are consistent is a separate question, [`check_histograms`],
//! because Prometheus itself scrapes inconsistent ones.
//!
//! The crate does no I/O and knows nothing of HTTP but the name of a content type, nothing of scraping, and
//! nothing of what the metrics mean. Native histograms, the protobuf format and quoted UTF-8 names are not read.

mod assembly;
mod content_type;
mod cursor;
mod error;
mod exposition;
mod histograms;
mod kind;
mod number;
mod openmetrics;
mod rules;
mod text;

pub use content_type::{ContentError, parse};
pub use error::{ParseError, Problem};
pub use exposition::{Exemplar, Exposition, Family, Format, Sample};
pub use histograms::{HistogramDefect, HistogramProblem, check_histograms};
pub use kind::MetricKind;
pub use openmetrics::parse_openmetrics;
pub use text::parse_text;
