//! What a successful call returns.

use std::collections::BTreeMap;

/// Label names and values; the metric name, if any, is under `__name__`.
pub type Labels = BTreeMap<String, String>;

/// A parsed value beside the body it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply<T> {
    /// The value.
    pub parsed: T,
    /// The body exactly as received, for evidence.
    pub raw: String,
    /// What the server warns about: with federated backends, a partial answer. Empty outside Prometheus.
    pub warnings: Vec<String>,
}

impl<T> Reply<T> {
    /// The same reply with another view of its value.
    pub fn map<U>(self, view: impl FnOnce(T) -> U) -> Reply<U> {
        Reply { parsed: view(self.parsed), raw: self.raw, warnings: self.warnings }
    }
}

/// A server's own metrics. The text is in [`Reply::raw`]; it ends with a line feed and is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsText {
    /// The content type, which names the format; empty if the server sent none.
    pub content_type: String,
}
