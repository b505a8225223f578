//! Cursors: where the next page begins, as text that clients pass back and need not understand.

use std::fmt::Write;

/// A position as a client gets it.
pub(super) fn encode(position: &str) -> String {
    position.bytes().fold(String::with_capacity(position.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}

/// The position of a cursor; None when it is none of ours.
pub(super) fn decode(cursor: &str) -> Option<String> {
    let digits: Vec<u8> =
        cursor.chars().map(|digit| digit.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let bytes = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    String::from_utf8(bytes).ok().filter(|position| !position.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_its_position() {
        for position in ["17", "zoë\0id", "~"] {
            assert_eq!(decode(&encode(position)).as_deref(), Some(position));
        }
    }

    #[test]
    fn what_is_no_cursor_has_no_position() {
        for text in ["", "3", "3g", "ff", "é1", "+1"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
