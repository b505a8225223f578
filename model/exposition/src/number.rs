//! Numbers as both formats write them: decimal floats, `NaN`, `+Inf`, `-Inf` in any case.

/// Reads a value. Hexadecimal, underscores, a signed NaN and decimals beyond an `f64` are refused, as Go's and
/// OpenMetrics' grammars do.
pub(crate) fn float(word: &str) -> Option<f64> {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    if unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity") {
        return Some(if word.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    if word.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    finite(word)
}

/// Reads a finite decimal number.
pub(crate) fn finite(word: &str) -> Option<f64> {
    let decimal = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    if !word.bytes().all(decimal) {
        return None;
    }
    word.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_numbers_of_every_spelling_are_read() {
        let spellings =
            [("1", 1.0), ("+1.5", 1.5), ("-.5", -0.5), ("1.", 1.0), ("1e-3", 0.001), ("2E+2", 200.0)];
        for (word, number) in spellings {
            assert_eq!(float(word).map(f64::to_bits), Some(f64::to_bits(number)), "{word}");
        }
        assert_eq!(float("-inf"), Some(f64::NEG_INFINITY));
        assert_eq!(float("+Infinity"), Some(f64::INFINITY));
        assert!(float("nan").is_some_and(f64::is_nan));
    }

    #[test]
    fn what_is_not_a_decimal_number_is_refused() {
        for word in ["", ".", "-", "0x1", "1_2", "1e", "1e400", "+NaN", "1,5", "١", "in", "1 "] {
            assert_eq!(float(word), None, "{word}");
        }
    }
}
