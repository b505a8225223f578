//! Breaking text into lines of a width.

use console::measure_text_width;

/// `text` in lines of at most `width` columns, broken at spaces, and inside a word only when the word alone is wider.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let mut word = word;
        let mut word_width = measure_text_width(word);
        if used > 0 && used + 1 + word_width > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        while word_width > width {
            let (head, tail) = split_at_width(word, width);
            lines.push(head.to_owned());
            word = tail;
            word_width = measure_text_width(word);
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += word_width;
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Splits `word` so that the head is at most `width` columns and at least one character; a head that ends at a comma,
/// a slash or a hyphen in its second half is preferred.
fn split_at_width(word: &str, width: usize) -> (&str, &str) {
    let mut used = 0;
    let mut end = word.len();
    let mut nice = None;
    for (at, character) in word.char_indices() {
        used += measure_text_width(character.encode_utf8(&mut [0; 4]));
        if used > width && at > 0 {
            end = at;
            break;
        }
        if matches!(character, ',' | '/' | '-') && used > width / 2 && used <= width {
            nice = Some(at + character.len_utf8());
        }
    }
    word.split_at(nice.unwrap_or(end))
}

/// `text` wrapped to `width` columns: the first line after `first`, every other line after spaces of the same width.
pub(crate) fn hanging(first: &str, text: &str, width: usize) -> String {
    let indent = measure_text_width(first);
    let lines = wrap(text, width.saturating_sub(indent).max(20));
    if lines.is_empty() {
        return first.trim_end().to_owned();
    }
    let mut shown = String::new();
    for (number, line) in lines.iter().enumerate() {
        if number == 0 {
            shown.push_str(first);
        } else {
            shown.push('\n');
            shown.push_str(&" ".repeat(indent));
        }
        shown.push_str(line);
    }
    shown
}

/// `text` with `spaces` before each of its lines.
pub(crate) fn indented(text: &str, spaces: usize) -> String {
    let indent = " ".repeat(spaces);
    let lines: Vec<String> = text.lines().map(|line| format!("{indent}{line}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_a_long_word_breaks_inside() {
        assert_eq!(wrap("the alert fired in time", 10), ["the alert", "fired in", "time"]);
        assert_eq!(wrap("a abcdefghijkl b", 5), ["a", "abcde", "fghij", "kl b"]);
        assert_eq!(
            wrap("A{service=\"user\",severity=\"x\"}", 20),
            ["A{service=\"user\",", "severity=\"x\"}"]
        );
        assert_eq!(wrap("", 10), Vec::<String>::new());
        assert_eq!(wrap("a,b", 1), ["a", ",", "b"]);
    }

    #[test]
    fn wide_characters_count_as_two_columns() {
        assert_eq!(wrap("漢字漢字", 4), ["漢字", "漢字"]);
        assert_eq!(wrap("漢字", 1), ["漢", "字"]);
    }

    #[test]
    fn further_lines_hang_under_the_first() {
        assert_eq!(
            hanging("hint: ", "lower the threshold of the rule", 26),
            "hint: lower the threshold\n      of the rule"
        );
    }
}
