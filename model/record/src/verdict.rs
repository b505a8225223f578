//! The four verdicts and how several become one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What was found about an expectation. The order is by weight: the worst of several is the verdict of all.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Proved by evidence to be as expected.
    Held,
    /// The run ended before the expectation could be judged.
    NotReached,
    /// The evidence cannot tell. Never a pass.
    Inconclusive,
    /// Proved by evidence not to be as expected.
    Violated,
}

impl Verdict {
    /// The worst of `verdicts`; of none, [`Verdict::Inconclusive`]: nothing was seen, so nothing was proved.
    pub fn worst(verdicts: impl IntoIterator<Item = Self>) -> Self {
        verdicts.into_iter().max().unwrap_or(Self::Inconclusive)
    }

    /// The verdict in the words of a drill file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::NotReached => "not-reached",
            Self::Inconclusive => "inconclusive",
            Self::Violated => "violated",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{self, Held, Inconclusive, NotReached, Violated};

    #[test]
    fn the_worst_verdict_wins_and_no_verdict_at_all_is_inconclusive() {
        assert_eq!(Verdict::worst([Held, Violated, Inconclusive, NotReached]), Violated);
        assert_eq!(Verdict::worst([Held, Inconclusive, NotReached]), Inconclusive);
        assert_eq!(Verdict::worst([Held, NotReached]), NotReached);
        assert_eq!(Verdict::worst([Held, Held]), Held);
        assert_eq!(Verdict::worst([]), Inconclusive);
    }
}
