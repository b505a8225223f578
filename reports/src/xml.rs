//! Writing XML 1.0: indented elements, escaped text. It knows nothing of what the elements mean.

use std::fmt::Write as _;

/// A document that grows from its first element to its last.
#[derive(Debug)]
pub(crate) struct XmlDocument {
    text: String,
    open: Vec<&'static str>,
}

impl XmlDocument {
    /// A document with its declaration and nothing else.
    pub(crate) fn new() -> Self {
        Self { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(), open: Vec::new() }
    }

    /// Adds the element `name` with what `children` adds inside it.
    pub(crate) fn element(
        &mut self,
        name: &'static str,
        attributes: &[(&str, &str)],
        children: impl FnOnce(&mut Self),
    ) {
        self.begin(name, attributes);
        self.text.push_str(">\n");
        self.open.push(name);
        children(self);
        self.open.pop();
        self.indent();
        let _ = writeln!(self.text, "</{name}>");
    }

    /// Adds the element `name` with text inside it; without any, an empty element.
    pub(crate) fn leaf(&mut self, name: &'static str, attributes: &[(&str, &str)], text: &str) {
        self.begin(name, attributes);
        // Writing to a String does not fail.
        let _ = if text.is_empty() {
            writeln!(self.text, "/>")
        } else {
            writeln!(self.text, ">{}</{name}>", escaped(text))
        };
    }

    /// The document.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    fn begin(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.indent();
        let _ = write!(self.text, "<{name}");
        for (name, value) in attributes {
            let _ = write!(self.text, " {name}=\"{}\"", escaped(value).replace('\n', "&#10;"));
        }
    }

    fn indent(&mut self) {
        self.text.push_str(&"  ".repeat(self.open.len()));
    }
}

/// `text` so that a parser reads it back, but for characters that no XML 1.0 document can hold: each of these, also as
/// a reference, would make the whole document unreadable, so it becomes the replacement character.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' => escaped.push_str("&#9;"),
            // A bare one is read as a line feed.
            '\r' => escaped.push_str("&#13;"),
            '\n' => escaped.push('\n'),
            '\u{fffe}' | '\u{ffff}' | '\0'..='\u{1f}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn document_of(text: &str) -> String {
        let mut document = XmlDocument::new();
        document.element("a", &[("b", text)], |inner| inner.leaf("c", &[], text));
        document.into_text()
    }

    #[test]
    fn elements_are_indented_and_those_without_text_are_empty() {
        let mut document = XmlDocument::new();
        document.element("a", &[("b", "1")], |inner| {
            inner.leaf("c", &[], "x < y");
            inner.leaf("d", &[], "");
        });
        let expected =
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"1\">\n  <c>x &lt; y</c>\n  <d/>\n</a>\n";
        assert_eq!(document.into_text(), expected);
    }

    #[test]
    fn characters_that_xml_cannot_hold_are_replaced() {
        let text = document_of("a\0b\u{1b}c\u{fffe}d\u{ffff}e");
        let parsed = roxmltree::Document::parse(&text).unwrap();
        assert_eq!(parsed.root_element().attribute("b"), Some("a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e"));
    }

    proptest! {
        #[test]
        fn any_other_text_is_read_back_as_it_was_written(text in "[^\0-\u{8}\u{b}\u{c}\u{e}-\u{1f}\u{fffe}\u{ffff}]+") {
            let document = document_of(&text);
            let parsed = roxmltree::Document::parse(&document).unwrap();
            let root = parsed.root_element();
            prop_assert_eq!(root.attribute("b"), Some(text.as_str()));
            prop_assert_eq!(root.first_element_child().and_then(|child| child.text()), Some(text.as_str()));
        }
    }
}
