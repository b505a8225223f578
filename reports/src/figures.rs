//! Numbers and times as a reader reads them.

use jiff::Timestamp;

/// `12345` as `12,345`.
pub(crate) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Bytes with a binary unit: `41.3 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "KiB", "MiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{count} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} GiB")
}

/// Seconds of drill time after the load began: `+2m08s`, `-0m03s`, `+1h02m00s`.
pub(crate) fn drill_time(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "?".to_owned();
    }
    let sign = if seconds < 0.0 { '-' } else { '+' };
    // A drill is hours long at most; beyond u64 the conversion saturates.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value is finite and not negative"
    )]
    let whole = seconds.abs().floor() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{sign}{hours}h{minutes:02}m{seconds:02}s")
    } else {
        format!("{sign}{minutes}m{seconds:02}s")
    }
}

/// The time of day with milliseconds, in UTC: `14:25:08.123Z`.
pub(crate) fn time_of_day(at: Timestamp) -> String {
    at.strftime("%H:%M:%S.%3fZ").to_string()
}

/// `count` and the noun, with an s unless the count is one.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    format!("{} {noun}{}", thousands(count as u64), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_counts_are_grouped_in_thousands() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn bytes_have_a_binary_unit() {
        assert_eq!(
            [0, 1023, 1536, 43_306_189, 5_368_709_120].map(bytes),
            ["0 B", "1023 B", "1.5 KiB", "41.3 MiB", "5.0 GiB"]
        );
    }

    #[test]
    fn drill_time_is_shown_from_the_start_of_the_load() {
        assert_eq!(
            [0.0, 128.9, -3.2, 3720.0, f64::NAN].map(drill_time),
            ["+0m00s", "+2m08s", "-0m03s", "+1h02m00s", "?"]
        );
    }

    #[test]
    fn wall_time_keeps_its_milliseconds() {
        let at = "2026-11-22T14:25:08.1239Z".parse().unwrap();
        assert_eq!(time_of_day(at), "14:25:08.123Z");
    }
}
