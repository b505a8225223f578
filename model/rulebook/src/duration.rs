//! Durations as Prometheus and Alertmanager write them: `5m`, `1h30m`, `250ms`, in whole milliseconds.
//!
//! Knows nothing of what a duration is for.

use std::fmt::Write;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// A text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a duration: write it like 5m, 1h30m or 250ms")]
pub struct DurationError {
    /// What was read.
    pub text: String,
}

/// The units in the order in which they may appear, with their milliseconds. A year has 365 days.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads a duration in Prometheus' notation. `0` alone needs no unit.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let error = || DurationError { text: text.to_owned() };
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut milliseconds: u64 = 0;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let unit_length = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, after) = after.split_at(unit_length);
        // The units are consumed as they are passed: each at most once, the larger before the smaller.
        let (_, factor) = units.find(|(name, _)| *name == unit).ok_or_else(error)?;
        let value: u64 = number.parse().map_err(|_| error())?;
        milliseconds =
            value.checked_mul(*factor).and_then(|part| milliseconds.checked_add(part)).ok_or_else(error)?;
        rest = after;
    }
    if text.is_empty() { Err(error()) } else { Ok(Duration::from_millis(milliseconds)) }
}

/// Writes a duration in Prometheus' notation, in whole milliseconds: `5s`, `1s500ms`, `83ms`; zero is `0s`.
pub fn format_duration(duration: Duration) -> String {
    let mut rest = milliseconds(duration);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    // Years and weeks are left out: 90d is easier to read than 12w6d.
    for (unit, factor) in &UNITS[2..] {
        let value = rest / factor;
        if value > 0 {
            write!(text, "{value}{unit}").expect("writing to a string never fails");
            rest -= value * factor;
        }
    }
    text
}

/// A duration divided by a factor and rounded to the nearest millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scaled {
    /// The rounded quotient.
    pub(crate) value: Duration,
    /// Whether nothing had to be rounded.
    pub(crate) exact: bool,
}

/// Divides `duration` by `factor`.
pub(crate) fn divide(duration: Duration, factor: u32) -> Scaled {
    let total = milliseconds(duration);
    let factor = u64::from(factor);
    let value = (total + factor / 2) / factor;
    Scaled { value: Duration::from_millis(value), exact: total.is_multiple_of(factor) }
}

/// The whole milliseconds of a duration. Configuration never holds more than fits.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// For `#[serde(default, deserialize_with)]` on optional durations.
pub(crate) fn deserialize_option<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let value = Option::<serde_yaml::Value>::deserialize(deserializer)?;
    match value {
        None | Some(serde_yaml::Value::Null) => Ok(None),
        Some(value) => from_value(&value).map(Some).map_err(serde::de::Error::custom),
    }
}

/// Reads a YAML scalar as a duration; a bare `0` is a number in YAML.
pub(crate) fn from_value(value: &serde_yaml::Value) -> Result<Duration, DurationError> {
    match value {
        serde_yaml::Value::String(text) => parse_duration(text),
        serde_yaml::Value::Number(number) => parse_duration(&number.to_string()),
        other => Err(DurationError { text: format!("{other:?}") }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{divide, format_duration, parse_duration};

    #[test]
    fn durations_of_prometheus_are_read() {
        for (text, milliseconds) in [
            ("0", 0),
            ("0s", 0),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("1s500ms", 1_500),
            ("1d", 86_400_000),
            ("2w", 1_209_600_000),
            ("1y", 31_536_000_000),
            ("5000ms", 5_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_prometheus_refuses_is_refused() {
        for text in ["", "5", "m", "5.0s", "-5m", "5m1h", "1m1m", "5 m", "5M", "99999999999999999999s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_quotient_that_is_not_a_whole_millisecond_is_rounded_and_said_to_be() {
        let five_minutes = Duration::from_mins(5);
        assert_eq!(divide(five_minutes, 60).value, Duration::from_secs(5));
        assert!(divide(five_minutes, 60).exact);
        assert_eq!(divide(five_minutes, 7).value, Duration::from_millis(42_857));
        assert!(!divide(five_minutes, 7).exact);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(milliseconds in 0_u64..100_000_000_000) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn dividing_twice_is_dividing_by_the_product_when_exact(value in 0_u64..100_000, a in 1_u32..100, b in 1_u32..100) {
            let duration = Duration::from_millis(value * u64::from(a) * u64::from(b));
            prop_assert_eq!(divide(divide(duration, a).value, b).value, divide(duration, a * b).value);
        }
    }
}
