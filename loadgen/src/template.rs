//! Texts with placeholders: `{name}` is a captured value, `{unique}` a fresh identifier, `{user}` the user's own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

/// Gives identifiers that no other load of this run gives.
#[derive(Debug)]
pub(crate) struct Identifiers {
    prefix: String,
    next: AtomicU64,
}

impl Identifiers {
    pub(crate) fn new(prefix: String) -> Self {
        Self { prefix, next: AtomicU64::new(0) }
    }

    /// What every identifier begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A fresh identifier.
    pub(crate) fn unique(&self) -> String {
        format!("{}-{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// The identifier of user `user` of load `load`, the same whenever asked.
    pub(crate) fn user(&self, load: usize, user: usize) -> String {
        format!("{}-u{load}-{user}", self.prefix)
    }
}

/// What placeholders stand for, for one user.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values {
    pub(crate) user: String,
    pub(crate) captured: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Unique,
    User,
    Captured(String),
}

/// A text with placeholders, split once. Braces around anything but a name are plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

impl Template {
    pub(crate) fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let (before, from_brace) = rest.split_at(open);
            plain.push_str(before);
            let name = from_brace[1..].split_once('}').map(|(name, _)| name).filter(|name| is_name(name));
            let Some(name) = name else {
                plain.push('{');
                rest = &from_brace[1..];
                continue;
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(match name {
                "unique" => Part::Unique,
                "user" => Part::User,
                name => Part::Captured(name.to_owned()),
            });
            rest = &from_brace[name.len() + 2..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Self(parts)
    }

    /// Names of the captured values it needs.
    pub(crate) fn needs(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter_map(|part| if let Part::Captured(name) = part { Some(name.as_str()) } else { None })
    }

    /// The text with its placeholders filled in; the error is the name of a value that is missing.
    pub(crate) fn render(&self, values: &Values, identifiers: &Identifiers) -> Result<String, String> {
        self.fill(values, identifiers, str::to_owned)
    }

    /// The same for a URL: what is filled in is percent-encoded.
    pub(crate) fn render_in_url(&self, values: &Values, identifiers: &Identifiers) -> Result<String, String> {
        self.fill(values, identifiers, percent_encode)
    }

    fn fill(
        &self,
        values: &Values,
        identifiers: &Identifiers,
        encode: fn(&str) -> String,
    ) -> Result<String, String> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Unique => out.push_str(&encode(&identifiers.unique())),
                Part::User => out.push_str(&encode(&values.user)),
                Part::Captured(name) => {
                    out.push_str(&encode(values.captured.get(name).ok_or_else(|| name.clone())?));
                }
            }
        }
        Ok(out)
    }
}

/// JSON with placeholders inside its strings.
#[derive(Debug, Clone)]
pub(crate) enum JsonTemplate {
    Plain(Value),
    Text(Template),
    Array(Vec<JsonTemplate>),
    Object(Vec<(String, JsonTemplate)>),
}

impl JsonTemplate {
    pub(crate) fn parse(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::Text(Template::parse(text)),
            Value::Array(items) => Self::Array(items.iter().map(Self::parse).collect()),
            Value::Object(fields) => {
                Self::Object(fields.iter().map(|(name, value)| (name.clone(), Self::parse(value))).collect())
            }
            plain => Self::Plain(plain.clone()),
        }
    }

    pub(crate) fn needs(&self) -> Vec<&str> {
        match self {
            Self::Plain(_) => Vec::new(),
            Self::Text(template) => template.needs().collect(),
            Self::Array(items) => items.iter().flat_map(Self::needs).collect(),
            Self::Object(fields) => fields.iter().flat_map(|(_, value)| value.needs()).collect(),
        }
    }

    pub(crate) fn render(&self, values: &Values, identifiers: &Identifiers) -> Result<Value, String> {
        Ok(match self {
            Self::Plain(value) => value.clone(),
            Self::Text(template) => Value::String(template.render(values, identifiers)?),
            Self::Array(items) => items
                .iter()
                .map(|item| item.render(values, identifiers))
                .collect::<Result<Vec<_>, _>>()?
                .into(),
            Self::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), value.render(values, identifiers)?)))
                    .collect::<Result<_, String>>()?,
            ),
        })
    }
}

/// `text` with every byte that RFC 3986 does not leave unreserved escaped.
pub(crate) fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(b"0123456789ABCDEF"[usize::from(byte >> 4)]));
            out.push(char::from(b"0123456789ABCDEF"[usize::from(byte & 15)]));
        }
    }
    out
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values() -> Values {
        Values { user: "run-u0-3".into(), captured: [("id".to_owned(), "a/b c".to_owned())].into() }
    }

    #[test]
    fn placeholders_are_filled_in_and_encoded_only_in_urls() {
        let identifiers = Identifiers::new("run".into());
        let template = Template::parse("/users/{id}?by={user}&n={unique}{unique}");
        assert_eq!(
            template.render_in_url(&values(), &identifiers).unwrap(),
            "/users/a%2Fb%20c?by=run-u0-3&n=run-0run-1"
        );
        assert_eq!(Template::parse("{id}").render(&values(), &identifiers).unwrap(), "a/b c");
    }

    #[test]
    fn a_missing_value_is_named() {
        let identifiers = Identifiers::new("run".into());
        let template = Template::parse("Bearer {token}");
        assert_eq!(template.needs().collect::<Vec<_>>(), ["token"]);
        assert_eq!(template.render(&values(), &identifiers), Err("token".to_owned()));
    }

    #[test]
    fn json_is_filled_in_inside_its_strings_only() {
        let identifiers = Identifiers::new("run".into());
        let body = serde_json::json!({"{id}": ["{id}", 3, null, {"to": "x{id}"}]});
        let template = JsonTemplate::parse(&body);
        assert_eq!(template.needs(), ["id", "id"]);
        assert_eq!(
            template.render(&values(), &identifiers).unwrap(),
            serde_json::json!({"{id}": ["a/b c", 3, null, {"to": "xa/b c"}]})
        );
    }

    proptest! {
        #[test]
        fn text_without_names_in_braces_stays_as_it_is(text in "[a-z{} /]{0,30}") {
            let template = Template::parse(&text);
            prop_assume!(template.needs().count() == 0);
            let plain = template.0.iter().all(|part| matches!(part, Part::Text(_)));
            if plain {
                prop_assert_eq!(template.render(&Values::default(), &Identifiers::new(String::new())), Ok(text));
            }
        }
    }
}
