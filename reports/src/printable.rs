//! Text of others made safe for a terminal: labels and sentences may come from services, and an escape sequence in
//! one must not move the cursor, change colours or hide what stands beside it.

/// `text` as one line without escape sequences, control characters or marks that change the direction of writing.
/// Line breaks and tabs become spaces.
pub(crate) fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '\u{1b}' => rest = after_escape(rest.as_str()).chars(),
            '\u{9b}' => rest = after_control_sequence(rest.as_str()).chars(),
            '\n' | '\t' | '\u{2028}' | '\u{2029}' => clean.push(' '),
            other if other.is_control() || hides_or_turns(other) => {}
            other => clean.push(other),
        }
    }
    clean
}

/// Marks that turn the direction of writing, and characters without width.
fn hides_or_turns(character: char) -> bool {
    matches!(character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// What follows an escape sequence whose first character, ESC, was taken.
fn after_escape(text: &str) -> &str {
    let mut rest = text.chars();
    match rest.next() {
        Some('[') => after_control_sequence(rest.as_str()),
        // Operating system command, device control string and their kin end with BEL or ESC \.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            let text = rest.as_str();
            let bell = text.find('\u{7}').map(|at| at + 1);
            let terminator = text.find("\u{1b}\\").map(|at| at + 2);
            // Without an end only the introducer goes, else a service could hide the rest of a sentence.
            bell.into_iter().chain(terminator).min().map_or(text, |end| &text[end..])
        }
        // `ESC ( B` and kin carry one more character.
        Some('('..='/') => {
            rest.next();
            rest.as_str()
        }
        _ => rest.as_str(),
    }
}

/// What follows a control sequence whose introducer was taken: parameters, then one final character.
fn after_control_sequence(text: &str) -> &str {
    let text = text.trim_start_matches(|c| (' '..='?').contains(&c));
    text.strip_prefix(|c| ('@'..='~').contains(&c)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn escape_sequences_and_control_characters_never_reach_the_terminal() {
        for (text, clean) in [
            ("plain {service=\"user\"} ü →", "plain {service=\"user\"} ü →"),
            ("\u{1b}[31;1mred\u{1b}[0m", "red"),
            ("\u{9b}2Jcleared", "cleared"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}]0;never ended", "0;never ended"),
            ("\u{1b}(Bcharset", "charset"),
            ("cut\u{1b}", "cut"),
            ("cut\u{1b}[3", "cut"),
            ("two\nlines\tand\r\u{8}\u{7f}more", "two lines andmore"),
            ("evil\u{202e}drawkcab\u{200b}", "evildrawkcab"),
        ] {
            assert_eq!(printable(text), clean, "{text:?}");
        }
    }
}
