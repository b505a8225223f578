//! What was changed in a configuration, said so that a person can check it.

use std::fmt;

/// How faithful a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeClass {
    /// The meaning is kept exactly.
    Exact,
    /// Kept but for what had to give way: rounding to milliseconds, a timeout capped by its interval.
    Adjusted,
    /// Faithful only if something holds that the configuration does not say.
    Assumed,
}

impl ChangeClass {
    /// The class in lower case, as reports print it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Adjusted => "adjusted",
            Self::Assumed => "assumed",
        }
    }
}

impl fmt::Display for ChangeClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One change of a configuration, or something left as it is that compression had to decide about (`from` and `to`
/// are then equal, and the class is [`ChangeClass::Assumed`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Path of the file in its folder.
    pub file: String,
    /// What was changed, as a path a reader of the file can follow: `rule HighErrorRate: for`.
    pub what: String,
    /// The text before.
    pub from: String,
    /// The text after.
    pub to: String,
    /// How faithful the change is.
    pub class: ChangeClass,
    /// Why it is adjusted or assumed; empty for exact changes.
    pub note: String,
}
