//! The frame around every answer of the Prometheus API.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// The data of a successful answer and the warnings beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded<T> {
    /// The `data` member.
    pub data: T,
    /// The `warnings` and `infos` members.
    pub warnings: Vec<String>,
}

/// Why a body is not a successful answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The server says that the call failed.
    #[error("{error_type}: {error}")]
    Api {
        /// The kind of error.
        error_type: String,
        /// The server's message.
        error: String,
    },
    /// The body is not an answer of the expected shape.
    #[error("{problem}")]
    Malformed {
        /// What is wrong with it.
        problem: String,
    },
}

/// Read first: the data of an error, if any, has no defined shape.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    status: Status,
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error: String,
}

#[derive(Deserialize)]
struct Success<T> {
    data: Option<T>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    infos: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Success,
    Error,
}

/// Reads the raw body of an answer, as the client does: for evidence that is judged again.
pub fn decode<T: DeserializeOwned>(raw: &str) -> Result<Decoded<T>, DecodeError> {
    let malformed = |error: serde_json::Error| DecodeError::Malformed { problem: error.to_string() };
    let outcome: Outcome = serde_json::from_str(raw).map_err(malformed)?;
    if matches!(outcome.status, Status::Error) {
        return Err(DecodeError::Api { error_type: outcome.error_type, error: outcome.error });
    }
    let success: Success<T> = serde_json::from_str(raw).map_err(malformed)?;
    let Some(data) = success.data else {
        return Err(DecodeError::Malformed { problem: "a success without data".to_owned() });
    };
    let warnings = success.warnings.into_iter().chain(success.infos).collect();
    Ok(Decoded { data, warnings })
}
