//! What compressing time makes of each rule, as data: the same for the plan of a run and for a report about rule files.

use std::fmt;

use crate::change::ChangeClass;

/// One rule and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOutcome {
    /// Path of its file.
    pub file: String,
    /// The line its name stands in, from 1.
    pub line: usize,
    /// Name of its group.
    pub group: String,
    /// Name of the alert or of the recorded metric.
    pub rule: String,
    /// What the rule makes.
    pub kind: RuleKind,
    /// The expression as it is written.
    pub before: String,
    /// What became of it.
    pub fate: RuleFate,
}

/// What a rule makes of its expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleKind {
    /// Alerts.
    Alert,
    /// A series.
    Recording,
}

/// What became of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleFate {
    /// It is kept.
    Compressed {
        /// How faithful it is: the weakest class among its expression, its durations and those of its group.
        class: ChangeClass,
        /// What was adjusted and what is assumed; empty when it is exact.
        notes: Vec<String>,
        /// The expression in compressed time.
        after: String,
    },
    /// It is left out.
    NotCompressible {
        /// Why, a sentence without its end.
        reason: String,
        /// The largest factor at which it can be compressed; `None` when there is none above 1 that is smaller than
        /// the one asked for.
        largest_factor: Option<u32>,
    },
}

/// How faithful a rule is in compressed time, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleClass {
    /// Its meaning is kept exactly.
    Exact,
    /// Kept but for what had to give way, such as rounding to milliseconds.
    Adjusted,
    /// Faithful only if something holds that the configuration does not say.
    Assumed,
    /// It cannot be compressed by this factor.
    NotCompressible,
}

impl RuleOutcome {
    /// How faithful the rule is.
    pub fn class(&self) -> RuleClass {
        match &self.fate {
            RuleFate::Compressed { class, .. } => RuleClass::from(*class),
            RuleFate::NotCompressible { .. } => RuleClass::NotCompressible,
        }
    }

    /// What was adjusted or is assumed, or why the rule is left out and which factor would keep it: sentences without
    /// their end. Empty when the rule is exact.
    pub fn why(&self) -> String {
        match &self.fate {
            RuleFate::Compressed { notes, .. } => notes.join("; "),
            RuleFate::NotCompressible { reason, largest_factor } => {
                let works = match largest_factor {
                    Some(factor) if *factor > 1 => format!("the largest factor is {factor}"),
                    Some(_) | None => "no smaller factor works".to_owned(),
                };
                format!("{reason}; {works}")
            }
        }
    }
}

impl RuleKind {
    /// The key that names such a rule in its file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Recording => "record",
        }
    }
}

impl RuleClass {
    /// All of them, from best to worst.
    pub const ALL: [Self; 4] = [Self::Exact, Self::Adjusted, Self::Assumed, Self::NotCompressible];

    /// The class in lower case, as reports print it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => ChangeClass::Exact.as_str(),
            Self::Adjusted => ChangeClass::Adjusted.as_str(),
            Self::Assumed => ChangeClass::Assumed.as_str(),
            Self::NotCompressible => "not compressible",
        }
    }
}

impl From<ChangeClass> for RuleClass {
    fn from(class: ChangeClass) -> Self {
        match class {
            ChangeClass::Exact => Self::Exact,
            ChangeClass::Adjusted => Self::Adjusted,
            ChangeClass::Assumed => Self::Assumed,
        }
    }
}

impl fmt::Display for RuleClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
