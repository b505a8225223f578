//! What is refused, where, and in which words: one line a document, reviewed as a snapshot.

use std::fmt::Write as _;

use firedrill_exposition::{Exposition, ParseError, parse_openmetrics, parse_text};

fn verdicts(documents: &str, parse: impl Fn(&str) -> Result<Exposition, ParseError>) -> String {
    let mut verdicts = String::new();
    for document in documents.lines() {
        let written = document.replace('⏎', "\n").replace('·', " ").replace('⇥', "\t").replace('␍', "\r");
        let verdict = match parse(&written) {
            Ok(_) => "ACCEPTED".to_owned(),
            Err(error) => error.to_string(),
        };
        writeln!(verdicts, "{document}\n    {verdict}").expect("a string takes every text");
    }
    verdicts
}

#[test]
fn text_documents_that_break_the_format_are_refused_with_their_place() {
    let verdicts = verdicts(include_str!("refusals/text.txt"), parse_text);
    assert!(!verdicts.contains("ACCEPTED"), "{verdicts}");
    insta::assert_snapshot!(verdicts);
}

#[test]
fn openmetrics_documents_that_break_the_format_are_refused_with_their_place() {
    let verdicts = verdicts(include_str!("refusals/openmetrics.txt"), parse_openmetrics);
    assert!(!verdicts.contains("ACCEPTED"), "{verdicts}");
    insta::assert_snapshot!(verdicts);
}
