//! Reading and writing YAML that others wrote: everything unknown survives, errors have a place.
//!
//! Comments, anchors and formatting do not survive writing; values do.

use serde::de::DeserializeOwned;
use serde_yaml::{Mapping, Value};

/// A file of the configuration that cannot be read, with the place of the problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct ConfigError {
    /// Path of the file in its folder.
    pub file: String,
    /// Line of the problem, from 1.
    pub line: usize,
    /// What is wrong, a lowercase fragment.
    pub problem: String,
}

impl ConfigError {
    /// An error at the first line of `text` that contains `needle`; at line 1 when none does.
    pub(crate) fn at_text(file: &str, text: &str, needle: &str, problem: impl Into<String>) -> Self {
        let line = text.lines().position(|line| line.contains(needle)).map_or(1, |index| index + 1);
        Self { file: file.to_owned(), line, problem: problem.into() }
    }

    fn of_yaml(file: &str, error: &serde_yaml::Error) -> Self {
        let line = error.location().map_or(1, |location| location.line());
        Self { file: file.to_owned(), line, problem: error.to_string() }
    }
}

/// Reads `text` as `T`; YAML's merge keys (`<<`) are followed.
pub(crate) fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, ConfigError> {
    let value = tree(file, text)?;
    serde_yaml::from_value(value).map_err(|error| {
        // Only reading from the text knows the place.
        let located = serde_yaml::from_str::<serde::de::IgnoredAny>(text).err();
        let retried = serde_yaml::from_str::<T>(text).err();
        ConfigError::of_yaml(file, located.as_ref().or(retried.as_ref()).unwrap_or(&error))
    })
}

/// Reads `text` as a tree to be edited and written again.
pub(crate) fn tree(file: &str, text: &str) -> Result<Value, ConfigError> {
    let mut value: Value = serde_yaml::from_str(text).map_err(|error| ConfigError::of_yaml(file, &error))?;
    value.apply_merge().map_err(|error| ConfigError::of_yaml(file, &error))?;
    refuse_respelled_numbers(file, text, &value)?;
    Ok(value)
}

/// Writes a tree.
pub(crate) fn write(value: &Value) -> String {
    serde_yaml::to_string(value).expect("a tree that was read from YAML can be written as YAML")
}

/// Prometheus reads an unquoted `1.10` in a label as the text `1.10`; written again from its number it would become
/// `1.1`. A number that cannot keep its spelling is refused instead.
fn refuse_respelled_numbers(file: &str, text: &str, value: &Value) -> Result<(), ConfigError> {
    match value {
        Value::Number(number) if !words(text).any(|word| word == number.to_string()) => Err(ConfigError {
            file: file.to_owned(),
            line: 1,
            problem: format!("the number {number} is spelled in a way that cannot be kept: put it in quotes"),
        }),
        Value::Sequence(items) => {
            items.iter().try_for_each(|item| refuse_respelled_numbers(file, text, item))
        }
        Value::Mapping(entries) => {
            entries.values().try_for_each(|entry| refuse_respelled_numbers(file, text, entry))
        }
        Value::Tagged(tagged) => refuse_respelled_numbers(file, text, &tagged.value),
        _ => Ok(()),
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || ",:[]{}".contains(c))
}

/// The entries under `key` if it is a sequence; nothing otherwise.
pub(crate) fn items_mut<'a>(value: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    value.get_mut(key).and_then(Value::as_sequence_mut).into_iter().flatten()
}

/// The text under `key`, empty when it is absent or not a text.
pub(crate) fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A boolean as Prometheus and Alertmanager read it: they follow YAML 1.1, where `yes` and `off` are booleans too.
pub(crate) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => match text.to_lowercase().as_str() {
            "y" | "yes" | "on" => Some(true),
            "n" | "no" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The mapping under `key`, made when it is absent or null.
pub(crate) fn mapping_mut<'a>(value: &'a mut Value, key: &str) -> Option<&'a mut Mapping> {
    let entry = value.as_mapping_mut()?.entry(key.into()).or_insert(Value::Null);
    if entry.is_null() {
        *entry = Value::Mapping(Mapping::new());
    }
    entry.as_mapping_mut()
}

#[cfg(test)]
mod tests {
    use serde_yaml::Value;

    use super::{read, tree, truth, write};

    #[test]
    fn an_error_names_file_and_line() {
        let error = tree("rules/a.yml", "groups:\n  - name: [\n").unwrap_err();
        assert_eq!((error.file.as_str(), error.line), ("rules/a.yml", 3), "{error}");
        let error = read::<Vec<u8>>("a.yml", "- 1\n- two\n").unwrap_err();
        assert_eq!(error.line, 2, "{error}");
    }

    #[test]
    fn a_number_whose_spelling_would_change_is_refused() {
        assert!(tree("a.yml", "version: 1.10").is_err());
        assert!(tree("a.yml", "version: '1.10'\ncount: 5\nratio: 0.5").is_ok());
    }

    #[test]
    fn merge_keys_are_followed() {
        let value = tree("a.yml", "base: &base {a: x}\nuse: {<<: *base, b: y}\n").unwrap();
        assert_eq!(value["use"]["a"], Value::from("x"));
    }

    #[test]
    fn words_that_only_yaml_1_1_takes_for_booleans_are_written_back_as_they_were() {
        let text = "a: yes\nb: off\n";
        let value = tree("a.yml", text).unwrap();
        assert_eq!(write(&value), text);
        assert_eq!(
            (truth(&value["a"]), truth(&value["b"]), truth(&value["c"])),
            (Some(true), Some(false), None)
        );
    }

    #[test]
    fn texts_that_look_like_other_types_stay_texts() {
        let text = write(&tree("a.yml", "a: '5'\nb: 'true'\nc: 'null'\nd: '{{ x }}'\n").unwrap());
        let again = tree("a.yml", &text).unwrap();
        for (key, expected) in [("a", "5"), ("b", "true"), ("c", "null"), ("d", "{{ x }}")] {
            assert_eq!(again[key], Value::from(expected));
        }
    }
}
