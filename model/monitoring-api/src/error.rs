//! Why a call gave no value.

use thiserror::Error;

/// Why a call to a monitoring API failed.
#[derive(Debug, Error)]
pub enum ApiError {
    /// The base address cannot be used at all.
    #[error("use address {url}: {problem}")]
    BadAddress {
        /// The address as given.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No connection, or one that broke before the reply began.
    #[error("reach {url}")]
    Unreachable {
        /// The address called.
        url: String,
        /// What the HTTP client says.
        source: reqwest::Error,
    },
    /// The reply was not complete in time.
    #[error("get a complete reply from {url} in time")]
    Timeout {
        /// The address called.
        url: String,
    },
    /// A status that is not a success, from something that does not speak the API's error format.
    #[error("get a success from {url}: status {status}: {excerpt}")]
    Status {
        /// The address called.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the body.
        excerpt: String,
    },
    /// A reply that is not what this call returns: cut off, too large, empty, or of another shape.
    #[error("read the reply of {url}: {problem}: {excerpt}")]
    Malformed {
        /// The address called.
        url: String,
        /// What is wrong with the reply.
        problem: String,
        /// The beginning of the body.
        excerpt: String,
    },
    /// The server understood the call and says why it failed.
    #[error("get an answer: {error_type}: {error}")]
    Api {
        /// Prometheus' kind of error (`bad_data`, `timeout`, `execution`, …).
        error_type: String,
        /// The server's message.
        error: String,
    },
}

const EXCERPT_CHARACTERS: usize = 300;

/// The beginning of a body, for messages.
pub(crate) fn excerpt(body: &str) -> String {
    let body = body.trim_end();
    match body.char_indices().nth(EXCERPT_CHARACTERS) {
        Some((end, _)) => format!("{}…", &body[..end]),
        None => body.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_cut_between_characters() {
        assert_eq!(excerpt("short\n"), "short");
        assert_eq!(excerpt(&"ü".repeat(400)).chars().count(), EXCERPT_CHARACTERS + 1);
    }
}
