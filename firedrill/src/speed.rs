//! By how much time is to be compressed, as it is typed.

use std::str::FromStr;

use firedrill_rulebook::HIGHEST_SPEED;

/// A factor, or the wish for a good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speed {
    /// This factor.
    Factor(u32),
    /// The largest faithful one.
    Auto,
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        match text.parse() {
            Ok(factor) if (1..=HIGHEST_SPEED).contains(&factor) => Ok(Self::Factor(factor)),
            Ok(_) | Err(_) => Err(format!("{text} is not in 1..={HIGHEST_SPEED}, and not auto")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Speed;

    #[test]
    fn a_factor_up_to_60_or_auto_is_a_speed() {
        assert_eq!("60".parse(), Ok(Speed::Factor(60)));
        assert_eq!("auto".parse(), Ok(Speed::Auto));
        for text in ["0", "61", "-1", "1.5", "", "Auto", "99999999999"] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
    }
}
