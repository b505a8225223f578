//! The types a family can declare, and the sample names each of them allows.

use std::fmt;

use crate::Format;

/// The type of a metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetricKind {
    /// A value that only rises, or starts again at 0.
    Counter,
    /// A value that may do anything.
    Gauge,
    /// Cumulative buckets with a sum and a count.
    Histogram,
    /// Buckets of a current distribution (OpenMetrics only).
    GaugeHistogram,
    /// Quantiles with a sum and a count.
    Summary,
    /// Labels with the constant value 1 (OpenMetrics only).
    Info,
    /// A set of booleans, one sample a state (OpenMetrics only).
    StateSet,
    /// No type declared, or declared `untyped` (text) or `unknown` (OpenMetrics).
    Unknown,
}

impl MetricKind {
    /// The word of a TYPE line of this format; `None` where the format has no such type.
    pub fn from_word(word: &str, format: Format) -> Option<Self> {
        match (word, format) {
            ("counter", _) => Some(Self::Counter),
            ("gauge", _) => Some(Self::Gauge),
            ("histogram", _) => Some(Self::Histogram),
            ("summary", _) => Some(Self::Summary),
            ("untyped", Format::Text) | ("unknown", Format::OpenMetrics) => Some(Self::Unknown),
            ("gaugehistogram", Format::OpenMetrics) => Some(Self::GaugeHistogram),
            ("info", Format::OpenMetrics) => Some(Self::Info),
            ("stateset", Format::OpenMetrics) => Some(Self::StateSet),
            _ => None,
        }
    }

    /// The name of the type, as OpenMetrics writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
            Self::Unknown => "unknown",
        }
    }

    /// What may follow the family's name in the names of its samples.
    pub(crate) fn suffixes(self, format: Format) -> &'static [&'static str] {
        match (self, format) {
            (Self::Counter, Format::OpenMetrics) => &["_total", "_created"],
            (Self::Histogram, Format::Text) => &["_bucket", "_sum", "_count"],
            (Self::Histogram, Format::OpenMetrics) => &["_bucket", "_sum", "_count", "_created"],
            (Self::GaugeHistogram, _) => &["_bucket", "_gsum", "_gcount"],
            (Self::Summary, Format::Text) => &["", "_sum", "_count"],
            (Self::Summary, Format::OpenMetrics) => &["", "_sum", "_count", "_created"],
            (Self::Info, _) => &["_info"],
            (Self::Counter | Self::Gauge | Self::StateSet | Self::Unknown, _) => &[""],
        }
    }
}

impl fmt::Display for MetricKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
