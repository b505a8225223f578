//! The parts of a stack as aligned lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

/// Each part and its address.
pub(crate) fn addresses(parts: &BTreeMap<String, SocketAddr>) -> String {
    let rows = parts.iter().map(|(name, address)| (name.as_str(), url(name, *address), String::new()));
    table(("part", "address", ""), &rows.collect::<Vec<_>>())
}

/// Each part, its address, and what it said when it was asked.
pub(crate) fn states(
    parts: &BTreeMap<String, SocketAddr>,
    seen: &BTreeMap<String, Result<(), String>>,
    colour: bool,
) -> String {
    let paint = |code: &str, text: String| if colour { format!("{code}{text}{PLAIN}") } else { text };
    let state = |name: &String| match seen.get(name) {
        Some(Ok(())) => paint(GREEN, "answers".to_owned()),
        Some(Err(why)) => paint(RED, format!("does not answer: {why}")),
        None => paint(RED, "was not asked".to_owned()),
    };
    let rows = parts.iter().map(|(name, address)| (name.as_str(), url(name, *address), state(name)));
    table(("part", "address", "state"), &rows.collect::<Vec<_>>())
}

fn url(part: &str, address: SocketAddr) -> String {
    let scheme = if part == "redis" { "redis" } else { "http" };
    format!("{scheme}://{address}")
}

fn table(head: (&str, &str, &str), rows: &[(&str, String, String)]) -> String {
    let all: Vec<(&str, &str, &str)> = std::iter::once(head)
        .chain(rows.iter().map(|(part, address, state)| (*part, address.as_str(), state.as_str())))
        .collect();
    let parts = all.iter().map(|row| row.0.len()).max().unwrap_or_default();
    let addresses = all.iter().map(|row| row.1.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (part, address, state) in all {
        let line = format!("{part:parts$}  {address:addresses$}  {state}");
        // Writing to a String does not fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> BTreeMap<String, SocketAddr> {
        BTreeMap::from([
            ("gateway".to_owned(), "127.0.0.1:3000".parse().unwrap()),
            ("redis".to_owned(), "127.0.0.1:6379".parse().unwrap()),
        ])
    }

    #[test]
    fn addresses_stand_below_each_other() {
        let expected = "part     address\ngateway  http://127.0.0.1:3000\nredis    redis://127.0.0.1:6379\n";
        assert_eq!(addresses(&parts()), expected);
    }

    #[test]
    fn a_part_that_does_not_answer_says_why_and_one_that_was_not_asked_never_answers() {
        let seen = BTreeMap::from([("gateway".to_owned(), Err("/health answered 503".to_owned()))]);
        let text = states(&parts(), &seen, false);
        assert!(
            text.contains("gateway  http://127.0.0.1:3000   does not answer: /health answered 503\n"),
            "{text}"
        );
        assert!(text.contains("redis    redis://127.0.0.1:6379  was not asked\n"), "{text}");
        assert!(states(&parts(), &seen, true).contains("\x1b[31mdoes not answer"));
    }
}
