//! Secrets, and keeping them out of everything that is written.

use std::fmt;

use serde::{Serialize, Serializer};

/// A value that must never be shown: it prints and serialises as `[redacted]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// What stands where a secret stood.
const REDACTED: &str = "[redacted]";

impl Secret {
    /// Wraps `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that has to send it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

/// Replaces known secret values in text that is about to be written.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    secrets: Vec<Secret>,
}

/// Shorter values would blacken ordinary text.
const SHORTEST_REDACTED: usize = 6;

impl Redactor {
    /// A redactor of `secrets`; values under six bytes are left out, as they would blacken ordinary text.
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let mut secrets: Vec<Secret> =
            secrets.into_iter().filter(|secret| secret.0.len() >= SHORTEST_REDACTED).collect();
        // A secret that contains another one goes first, else its rest would stay.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.0.len()));
        Self { secrets }
    }

    /// A redactor of every environment variable whose name says that it holds a secret
    /// (`*SECRET*`, `*TOKEN*`, `*PASSWORD*`, `*API_KEY*`, `*CREDENTIAL*`, `*PRIVATE_KEY*`).
    pub fn of_environment(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        const TELLING: [&str; 7] =
            ["SECRET", "TOKEN", "PASSWORD", "PASSWD", "API_KEY", "CREDENTIAL", "PRIVATE_KEY"];
        Self::new(variables.into_iter().filter_map(|(name, value)| {
            let name = name.to_ascii_uppercase();
            // A path to a secret is not the secret.
            let telling = TELLING.iter().any(|word| name.contains(word)) && !name.ends_with("_FILE");
            telling.then(|| Secret::new(value))
        }))
    }

    /// A redactor of this one's secrets and of `more`.
    #[must_use]
    pub fn and(self, more: impl IntoIterator<Item = Secret>) -> Self {
        Self::new(self.secrets.into_iter().chain(more))
    }

    /// `text` without any of the secrets.
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            if text.contains(secret.expose()) {
                text = text.replace(secret.expose(), REDACTED);
            }
            // The same secret inside a JSON string.
            let escaped = serde_json::to_string(secret.expose()).unwrap_or_default();
            let escaped = escaped.trim_matches('"');
            if escaped != secret.expose() && text.contains(escaped) {
                text = text.replace(escaped, REDACTED);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nowhere() {
        let secret = Secret::new("hunter2hunter2");
        let shown = format!("{secret} {secret:?} {}", serde_json::to_string(&secret).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn secrets_of_the_environment_are_redacted_also_inside_json() {
        let redactor = Redactor::of_environment([
            ("MY_API_TOKEN".to_owned(), "can\"ary-123".to_owned()),
            ("HOME".to_owned(), "/home/somebody".to_owned()),
        ]);
        let text = "x can\"ary-123 y {\"t\":\"can\\\"ary-123\"} /home/somebody";
        assert_eq!(redactor.redact(text), "x [redacted] y {\"t\":\"[redacted]\"} /home/somebody");
    }
}
