//! A message's place in its room's history, as Redis numbers the entries of a stream.

use std::fmt;
use std::str::FromStr;

/// Milliseconds and a number within them, written `MS-N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sequence {
    milliseconds: u64,
    number: u64,
}

/// The text is no place in a history.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoSequence;

impl Sequence {
    /// Before every message: the place of who knows none.
    pub(super) const FIRST: Self = Self { milliseconds: 0, number: 0 };
}

impl fmt::Display for Sequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.milliseconds, self.number)
    }
}

impl FromStr for Sequence {
    type Err = NoSequence;

    fn from_str(text: &str) -> Result<Self, NoSequence> {
        let plain = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            // The highest number has no successor, which Redis refuses to read after.
            digits.then(|| part.parse().ok()).flatten().filter(|number| *number < u64::MAX).ok_or(NoSequence)
        };
        let (milliseconds, number) = text.split_once('-').ok_or(NoSequence)?;
        Ok(Self { milliseconds: plain(milliseconds)?, number: plain(number)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ordered_as_numbers() {
        let at = |text: &str| text.parse::<Sequence>().expect("a place");
        assert!(at("9-10") > at("9-9"));
        assert!(at("10-0") > at("9-10"));
        assert_eq!(at("0-0"), Sequence::FIRST);
        assert_eq!(at("1700000000000-7").to_string(), "1700000000000-7");
    }

    #[test]
    fn what_redis_would_read_otherwise_is_refused() {
        for text in [
            "",
            "7",
            "-",
            "1-",
            "-1",
            "+1-0",
            "1-+0",
            "(1-0",
            "1-0-0",
            "a-b",
            "99999999999999999999-0",
            "18446744073709551615-0",
        ] {
            assert_eq!(text.parse::<Sequence>(), Err(NoSequence), "{text}");
        }
    }
}
