//! What an exposition holds, in the order it was written.

use std::collections::BTreeMap;
use std::fmt;

use crate::MetricKind;

/// Everything one endpoint exposed at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Exposition {
    /// The format it was read from: the two name counters differently and demand different things.
    pub format: Format,
    /// The families in the order of the document; names are unique.
    pub families: Vec<Family>,
}

impl Exposition {
    /// The family of this name. A counter's family is `x_total` in the text format and `x` in OpenMetrics.
    pub fn family(&self, name: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.name == name)
    }

    /// All samples of all families, in the order of the document.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.families.iter().flat_map(|family| &family.samples)
    }
}

/// The two exposition formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Prometheus text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text format 0.0.4",
            Self::OpenMetrics => "OpenMetrics 1.0",
        })
    }
}

/// One metric family: its metadata and the samples under it.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// The name in the metadata lines, or the sample's own name where there are none.
    pub name: String,
    /// The declared type; [`MetricKind::Unknown`] where none is declared.
    pub kind: MetricKind,
    /// The unescaped help text; `None` without a HELP line.
    pub help: Option<String>,
    /// The unit (OpenMetrics only); `None` without a UNIT line.
    pub unit: Option<String>,
    /// The samples in the order of the document.
    pub samples: Vec<Sample>,
}

/// One line with a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The full name as written, suffix included.
    pub name: String,
    /// The unescaped labels, `le` and `quantile` included.
    pub labels: BTreeMap<String, String>,
    /// The value; NaN and the infinities are legal where the family's type allows them.
    pub value: f64,
    /// Seconds since the Unix epoch, if the line carries a timestamp (the text format writes milliseconds).
    pub timestamp_seconds: Option<f64>,
    /// The exemplar beside the value (OpenMetrics only).
    pub exemplar: Option<Exemplar>,
}

/// A reference to one observation, such as a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// The unescaped labels: at most 128 characters of names and values together.
    pub labels: BTreeMap<String, String>,
    /// The observed value.
    pub value: f64,
    /// Seconds since the Unix epoch, if given.
    pub timestamp_seconds: Option<f64>,
}
