//! Instants as both servers write them: RFC 3339 with up to nanoseconds, the year 1 standing for "never".

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

/// The last second of Go's zero time, in seconds of the Unix epoch.
const ZERO_TIME: i64 = -62_135_596_800;

/// Reads an instant, `null`, or Go's zero time.
pub(crate) fn or_never<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let instant = Option::<Timestamp>::deserialize(deserializer)?;
    Ok(instant.filter(|instant| instant.as_second() != ZERO_TIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Timestamp> {
        or_never(&mut serde_json::Deserializer::from_str(json)).unwrap()
    }

    #[test]
    fn the_zero_time_and_null_mean_never() {
        assert_eq!(read("\"0001-01-01T00:00:00Z\""), None);
        assert_eq!(read("\"0001-01-01T00:00:00.000Z\""), None);
        assert_eq!(read("null"), None);
    }

    #[test]
    fn nanoseconds_and_offsets_are_kept() {
        let instant = read("\"2026-01-02T03:04:05.123456789+02:00\"").unwrap();
        assert_eq!(instant.to_string(), "2026-01-02T01:04:05.123456789Z");
    }
}
