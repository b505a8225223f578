//! Hints for misspelt words.

/// A hint for `word`, which is none of `known`: the nearest one if it is near, else all of them.
pub(crate) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let near = known
        .iter()
        .map(|one| (strsim::damerau_levenshtein(word, one), *one))
        .min()
        .filter(|(distance, one)| *distance <= one.len().max(word.len()) / 3);
    match near {
        Some((_, one)) => format!("did you mean `{one}`?"),
        None => format!("known here: {}", listed(&known)),
    }
}

/// Words as a text: `a`, `b`, `c`.
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a &'a str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::hint;

    #[test]
    fn a_near_word_is_suggested_and_otherwise_all_are_listed() {
        assert_eq!(hint("jurney", ["journey", "chat"]), "did you mean `journey`?");
        assert_eq!(hint("weather", ["journey", "chat"]), "known here: `journey`, `chat`");
    }
}
