//! Names and identifiers, each its own type so that one is never passed for another.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Labels of a series or an alert: name to value, sorted by name.
pub type Labels = BTreeMap<String, String>;

/// A text that is not a valid name or identifier.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a valid {what}: {why}")]
pub struct InvalidName {
    /// What the text should have been.
    pub what: &'static str,
    /// The offending text.
    pub text: String,
    /// The rule it breaks.
    pub why: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $valid:expr, $why:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidName { what: $what, text: text.to_owned(), why: $why })
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

fn kebab(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 100
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

name!(
    /// A service or part of the stack, as the `service` label names it: `user`, `gateway`.
    ServiceName, "service name", kebab, "1 to 100 lower-case letters, digits and inner hyphens"
);
name!(
    /// A drill, named as the sentence it proves: `user-service-errors-page-the-team`.
    DrillName, "drill name", kebab, "1 to 100 lower-case letters, digits and inner hyphens"
);
name!(
    /// An alert, as its rule's `alert:` field names it.
    AlertName, "alert name",
    |text| !text.is_empty() && text.len() <= 200 && !text.chars().any(char::is_control),
    "1 to 200 characters, none of them a control character"
);
name!(
    /// One run of firedrill: `20261122t142300z-7f3a`.
    RunId, "run id",
    |text| kebab(text) && text.len() == 21 && text.as_bytes()[8] == b't' && text.as_bytes()[15] == b'z'
        && text.as_bytes()[16] == b'-',
    "a UTC time and four hexadecimal digits, like 20261122t142300z-7f3a"
);

impl RunId {
    /// The identifier of a run started at `at`; `suffix` tells runs of one second apart.
    pub fn new(at: jiff::Timestamp, suffix: u16) -> Self {
        Self(format!("{}-{suffix:04x}", at.strftime("%Y%m%dt%H%M%Sz")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_is_its_time_and_a_suffix_and_reads_back() {
        let at: jiff::Timestamp = "2026-11-22T14:23:00Z".parse().unwrap();
        let id = RunId::new(at, 0x7f3a);
        assert_eq!(id.as_str(), "20261122t142300z-7f3a");
        assert_eq!(id.as_str().parse::<RunId>(), Ok(id));
    }

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for text in ["", "../x", "A", "-x", "x-", "a/b", "20261122t142300z"] {
            assert!(text.parse::<RunId>().is_err(), "{text:?} as a run id");
        }
        for text in ["", "../x", "A", "-x", "x-", "a/b"] {
            assert!(text.parse::<DrillName>().is_err(), "{text:?} as a drill name");
        }
    }
}
