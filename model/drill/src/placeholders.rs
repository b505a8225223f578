//! Placeholders in paths, headers and bodies: `{name}`.
//!
//! What a name stands for is not known here, but for the names that every journey has.

/// Names that need no capture: `{unique}`, fresh for each use, and `{user}`, stable over the rounds of a user.
pub(crate) const BUILT_IN_PLACEHOLDERS: [&str; 2] = ["unique", "user"];

/// The names of the placeholders in `text`, in order. A brace that does not enclose a name stands for itself.
pub(crate) fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let braces = text.match_indices('{');
    braces
        .filter_map(|(at, _)| text[at + 1..].split_once('}'))
        .map(|(name, _)| name)
        .filter(|name| is_name(name))
}

/// Whether `name` can be a placeholder: ASCII letters, digits, underscores and hyphens.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::placeholders;

    #[test]
    fn placeholders_are_found_and_other_braces_stand_for_themselves() {
        let found: Vec<&str> = placeholders("{a}-{ b }{{c_1}}{}{2-b}{é}{").collect();
        assert_eq!(found, ["a", "c_1", "2-b"]);
    }
}
