//! `errors {ratio}`: a share of the requests is answered 500.
//!
//! The share is exact: errors are spread by error diffusion, not drawn.

use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// Ratios are counted in whole billionths, so that a sum of many never drifts.
const WHOLE: u64 = 1_000_000_000;

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorsOrder {
    ratio: f64,
}

/// Decides request by request.
#[derive(Debug)]
pub(super) struct Errors {
    billionths: u64,
    carried: u64,
}

impl ErrorsOrder {
    pub(super) fn check(&self) -> Result<(), ApiError> {
        if (0.0..=1.0).contains(&self.ratio) {
            Ok(())
        } else {
            Err(ApiError::invalid("errors.ratio must be 0 to 1"))
        }
    }
}

impl Errors {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the ratio is 0 to 1")]
    pub(super) fn new(order: &ErrorsOrder) -> Self {
        Self { billionths: (order.ratio * WHOLE as f64).round() as u64, carried: 0 }
    }

    /// Whether the next request fails.
    pub(super) fn next(&mut self) -> Option<()> {
        self.carried += self.billionths;
        self.carried = self.carried.checked_sub(WHOLE)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_ordered_share_fails() {
        for (ratio, requests, failed) in
            [(0.3, 100, 30), (0.1, 1000, 100), (1.0, 7, 7), (0.0, 50, 0), (0.5, 1, 0), (0.05, 100, 5)]
        {
            let mut errors = Errors::new(&ErrorsOrder { ratio });
            let failures = (0..requests).filter(|_| errors.next().is_some()).count();
            assert_eq!(failures, failed, "{ratio} of {requests}");
        }
    }

    #[test]
    fn a_ratio_that_is_none_is_refused() {
        for ratio in [1.1, -0.1, f64::NAN] {
            assert!(ErrorsOrder { ratio }.check().is_err(), "{ratio}");
        }
    }
}
