//! What was found while an expression was scaled: how faithful it is, and everything that speaks against it.

use std::fmt::Display;

use super::NotCompressible;
use crate::change::ChangeClass;

/// Collects the weakest class and the reasons for it, and every problem, not only the first.
pub(super) struct Noted<'a> {
    source: &'a str,
    pub(super) class: ChangeClass,
    pub(super) notes: Vec<String>,
    problems: Vec<Problem>,
}

struct Problem {
    reason: String,
    largest_factor: Option<u32>,
}

impl<'a> Noted<'a> {
    /// Nothing noted yet of the expression that is written as `source`.
    pub(super) fn of(source: &'a str) -> Self {
        Self { source, class: ChangeClass::Exact, notes: Vec::new(), problems: Vec::new() }
    }

    /// Something gave way.
    pub(super) fn adjust(&mut self, note: String) {
        self.class = self.class.max(ChangeClass::Adjusted);
        self.add(note);
    }

    /// It is faithful only if this holds.
    pub(super) fn assume(&mut self, note: impl Into<String>) {
        self.class = ChangeClass::Assumed;
        self.add(note.into());
    }

    /// `part` cannot be compressed at any factor.
    pub(super) fn refuse(&mut self, part: &impl Display, why: impl Display) {
        self.problem(part, why, None);
    }

    /// `part` cannot be compressed by more than `largest_factor`.
    pub(super) fn refuse_above(&mut self, part: &impl Display, why: impl Display, largest_factor: u64) {
        // A factor of 1 is no compression.
        let largest = u32::try_from(largest_factor).ok().filter(|factor| *factor > 1);
        self.problem(part, why, largest);
    }

    fn problem(&mut self, part: &impl Display, why: impl Display, largest_factor: Option<u32>) {
        let part = part.to_string();
        let place = match place_of(&part, self.source) {
            Some(offset) if part != self.source => format!(" (byte {offset})"),
            Some(_) | None => String::new(),
        };
        let reason = format!("`{part}`{place} {why}");
        if self.problems.iter().all(|known| known.reason != reason) {
            self.problems.push(Problem { reason, largest_factor });
        }
    }

    fn add(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// All problems as one refusal; the largest factor is the one that all of them allow.
    pub(super) fn refusal(&self) -> Option<NotCompressible> {
        let reasons: Vec<_> = self.problems.iter().map(|problem| problem.reason.as_str()).collect();
        (!reasons.is_empty()).then(|| NotCompressible {
            reason: reasons.join("; "),
            // `None` is less than any factor: one problem at any factor decides.
            largest_factor: self.problems.iter().map(|problem| problem.largest_factor).min().flatten(),
        })
    }
}

/// Where `part` stands in `source`, not inside of a longer name; none when it is written otherwise than it is printed.
fn place_of(part: &str, source: &str) -> Option<usize> {
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    source.match_indices(part).map(|(offset, _)| offset).find(|offset| {
        let (before, after) = (&source[..*offset], &source[offset + part.len()..]);
        let runs_on = part.ends_with(of_name) && after.starts_with(of_name);
        !(before.ends_with(of_name) || runs_on)
    })
}

#[cfg(test)]
mod tests {
    use super::place_of;

    #[test]
    fn a_part_is_found_where_it_stands_as_a_whole() {
        assert_eq!(place_of("node_load1", "node_load15 / node_load1"), Some(14));
        assert_eq!(place_of("load1", "node_load1"), None);
        assert_eq!(place_of("time()", "up and time() > 5"), Some(7));
        assert_eq!(place_of("x[5m]", "rate(x [5m])"), None);
    }
}
