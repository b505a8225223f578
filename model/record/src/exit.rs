//! The exit code of a run.

use serde::{Deserialize, Serialize};

/// How a run ended. The order is by weight: the heaviest of several decides the exit code.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ExitOutcome {
    /// Every drill passed.
    Passed,
    /// A drill was Inconclusive or NotReached and its `must_be` did not ask for that.
    CannotTell,
    /// A drill failed.
    Failed,
    /// The stack could not be set up, or Prometheus or Alertmanager refuse the configuration.
    StackNotUp,
    /// A fault could not be undone.
    FaultNotUndone,
    /// The run was interrupted.
    Interrupted,
}

impl ExitOutcome {
    /// The exit code of the process. 2 is missing on purpose: an invalid drill or command line ends before a run begins.
    pub fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::StackNotUp => 3,
            Self::CannotTell => 4,
            Self::FaultNotUndone => 5,
            Self::Interrupted => 130,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ExitOutcome::{CannotTell, Failed, FaultNotUndone, Interrupted, Passed, StackNotUp};

    #[test]
    fn weight_follows_130_5_3_1_4_0() {
        let by_weight = [Interrupted, FaultNotUndone, StackNotUp, Failed, CannotTell, Passed];
        assert!(by_weight.windows(2).all(|pair| pair[0] > pair[1]));
        assert_eq!(by_weight.map(super::ExitOutcome::code), [130, 5, 3, 1, 4, 0]);
    }
}
