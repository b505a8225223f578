//! Numbers with units: `100/s`, `30%`, `64MiB`, `8m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A text that is not a number with its unit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a {what}, expected {expected}")]
pub struct ParseUnitError {
    /// What it should have been.
    pub what: &'static str,
    /// The offending text.
    pub text: String,
    /// Examples of the right form.
    pub expected: &'static str,
}

/// Events per second, above 0 and at most 100,000.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate(f64);

impl Rate {
    /// Events per second.
    pub fn per_second(self) -> f64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = ParseUnitError;
    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let fail = || ParseUnitError {
            what: "rate",
            text: text.to_owned(),
            expected: "a number and its time, like 100/s, 30/m or 5/h, at most 100000/s",
        };
        let (number, per) = text.split_once('/').ok_or_else(fail)?;
        let seconds = match per.trim() {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(fail()),
        };
        let rate = plain_number(number.trim()).ok_or_else(fail)? / seconds;
        if rate > 0.0 && rate <= 100_000.0 { Ok(Self(rate)) } else { Err(fail()) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

/// A share between 0 and 1, written in percent.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ratio(f64);

impl Ratio {
    /// The share, 0 to 1.
    pub fn share(self) -> f64 {
        self.0
    }
}

impl FromStr for Ratio {
    type Err = ParseUnitError;
    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let fail = || ParseUnitError {
            what: "ratio",
            text: text.to_owned(),
            expected: "a percentage from 0% to 100%, like 30%",
        };
        let number = text.strip_suffix('%').ok_or_else(fail)?;
        let share = plain_number(number.trim()).ok_or_else(fail)? / 100.0;
        if (0.0..=1.0).contains(&share) { Ok(Self(share)) } else { Err(fail()) }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded to a millionth of a percent, so that 0.07 * 100 does not show its binary tail.
        write!(f, "{}%", (self.0 * 1e8).round() / 1e6)
    }
}

/// An amount of memory: `64MiB`, `10MB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

/// Letters of a size and what they stand for.
const SIZES: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

impl ByteSize {
    /// The bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = ParseUnitError;
    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let fail = || ParseUnitError {
            what: "size",
            text: text.to_owned(),
            expected: "a whole number with a unit from B, kB, MB, GB, KiB, MiB, GiB, like 64MiB",
        };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let (_, each) = SIZES.iter().find(|(name, _)| *name == unit).ok_or_else(fail)?;
        number.parse().ok().and_then(|number: u64| number.checked_mul(*each)).map(Self).ok_or_else(fail)
    }
}

macro_rules! through_text {
    ($type:ident) => {
        impl TryFrom<String> for $type {
            type Error = ParseUnitError;
            fn try_from(text: String) -> Result<Self, ParseUnitError> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }
    };
}
through_text!(Rate);
through_text!(Ratio);

/// Digits with at most one point: no sign, exponent, `inf` or `nan`, which `f64` would accept.
fn plain_number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !text.is_empty();
    plain.then(|| text.parse().ok()).flatten()
}

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A duration of drill time in Prometheus's notation: `8m`, `1h30m`, `500ms`; at most 30 days.
pub fn parse_drill_duration(text: &str) -> Result<Duration, ParseUnitError> {
    let fail = || ParseUnitError {
        what: "duration",
        text: text.to_owned(),
        expected: "numbers with units from d, h, m, s, ms in falling order, like 8m, 1h30m or 500ms, at most 30d",
    };
    let mut rest = text;
    let mut next_unit = 0;
    let mut millis: u64 = 0;
    if rest.is_empty() {
        return Err(fail());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        let number: u64 = number.parse().map_err(|_| fail())?;
        let position = UNITS.iter().position(|(name, _)| *name == unit).ok_or_else(fail)?;
        if position < next_unit {
            return Err(fail());
        }
        next_unit = position + 1;
        millis = number
            .checked_mul(UNITS[position].1)
            .and_then(|part| millis.checked_add(part))
            .ok_or_else(fail)?;
        rest = tail;
    }
    if millis > 30 * 86_400_000 { Err(fail()) } else { Ok(Duration::from_millis(millis)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_ratios_and_durations_are_read_with_their_units() {
        assert_eq!("100/s".parse::<Rate>().unwrap().per_second().to_bits(), 100f64.to_bits());
        assert_eq!("30/m".parse::<Rate>().unwrap().per_second().to_bits(), 0.5f64.to_bits());
        assert_eq!("30%".parse::<Ratio>().unwrap().to_string(), "30%");
        assert_eq!("7%".parse::<Ratio>().unwrap().to_string(), "7%");
        assert_eq!("64MiB".parse::<ByteSize>().unwrap().bytes(), 67_108_864);
        assert_eq!("10MB".parse::<ByteSize>().unwrap().bytes(), 10_000_000);
        assert_eq!(parse_drill_duration("1h30m"), Ok(Duration::from_mins(90)));
        assert_eq!(parse_drill_duration("500ms"), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn what_is_not_a_number_with_a_unit_is_refused() {
        for text in ["", "100", "/s", "-1/s", "0/s", "1e3/s", "inf/s", "nan/s", "1/d", "100001/s"] {
            assert!(text.parse::<Rate>().is_err(), "rate {text:?}");
        }
        for text in ["", "30", "%", "101%", "-1%", "nan%"] {
            assert!(text.parse::<Ratio>().is_err(), "ratio {text:?}");
        }
        for text in ["", "64", "MiB", "64mb", "1.5GiB", "-1B", "64 MiB", "18014398509481984KiB"] {
            assert!(text.parse::<ByteSize>().is_err(), "size {text:?}");
        }
        for text in ["", "8", "m", "5m1h", "8m8m", "1.5h", "-1m", "31d", "99999999999999999999s", "1w"] {
            assert!(parse_drill_duration(text).is_err(), "duration {text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_unit_parser_panic(text in "\\PC{0,20}") {
            let _ = text.parse::<Rate>();
            let _ = text.parse::<Ratio>();
            let _ = text.parse::<ByteSize>();
            let _ = parse_drill_duration(&text);
        }
    }
}
