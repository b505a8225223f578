//! The window for the end of a step.

/// A window for the end of a step, in seconds after the step before it: one span of time, or several where something
/// regular may be met at one time or at the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Earliest and latest end of each span; in order, apart from each other, at least one.
    spans: Vec<(f64, f64)>,
    /// How it was computed, in numbers.
    pub computed_from: String,
}

impl Window {
    /// One span.
    pub fn between(earliest: f64, latest: f64, computed_from: String) -> Self {
        Self { spans: vec![(earliest, latest.max(earliest))], computed_from }
    }

    /// Any of `spans`; those that meet become one. Without any it is the instant of the step before.
    pub fn any_of(spans: impl IntoIterator<Item = (f64, f64)>, computed_from: String) -> Self {
        let mut ordered: Vec<(f64, f64)> = spans.into_iter().collect();
        ordered.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut apart: Vec<(f64, f64)> = Vec::new();
        for (earliest, latest) in ordered {
            match apart.last_mut() {
                Some(last) if earliest <= last.1 => last.1 = last.1.max(latest),
                Some(_) | None => apart.push((earliest, latest)),
            }
        }
        if apart.is_empty() {
            apart.push((0.0, 0.0));
        }
        Self { spans: apart, computed_from }
    }

    /// Earliest end of all.
    pub fn earliest(&self) -> f64 {
        self.spans.first().map_or(0.0, |span| span.0)
    }

    /// Latest end of all.
    pub fn latest(&self) -> f64 {
        self.spans.last().map_or(0.0, |span| span.1)
    }

    /// The spans, in order.
    pub fn spans(&self) -> &[(f64, f64)] {
        &self.spans
    }

    /// Whether an observation lies inside.
    pub fn holds(&self, seconds: f64) -> bool {
        self.spans.iter().any(|(earliest, latest)| (*earliest..=*latest).contains(&seconds))
    }

    /// The span that an observation lies in, else the last one that had begun, else the first: what it was early or late
    /// for.
    pub fn span_of(&self, seconds: f64) -> (f64, f64) {
        let begun = self.spans.iter().rev().find(|span| span.0 <= seconds);
        begun.or_else(|| self.spans.first()).copied().unwrap_or_default()
    }

    /// The window with its latest end at `latest` when that is later, whatever lies before it allowed.
    #[must_use]
    pub fn until_at_least(&self, latest: f64, why: &str) -> Self {
        let latest = self.latest().max(latest);
        Self::between(self.earliest(), latest, format!("{}; {why}", self.computed_from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_meet_are_one_and_what_lies_between_others_is_outside() {
        let window = Window::any_of([(5.0, 5.2), (0.0, 0.2), (0.1, 0.3)], String::new());
        assert_eq!(window.spans(), [(0.0, 0.3), (5.0, 5.2)]);
        assert!(window.holds(0.25) && window.holds(5.1) && !window.holds(1.0) && !window.holds(5.3));
        assert_eq!((window.earliest(), window.latest()), (0.0, 5.2));
    }

    #[test]
    fn an_observation_is_late_for_the_span_before_it() {
        let window = Window::any_of([(1.0, 1.2), (5.0, 5.2)], String::new());
        assert_eq!(window.span_of(5.1), (5.0, 5.2));
        assert_eq!(window.span_of(2.0), (1.0, 1.2));
        assert_eq!(window.span_of(0.5), (1.0, 1.2));
    }

    #[test]
    fn no_span_is_an_instant() {
        assert_eq!(Window::any_of([], String::new()).spans(), [(0.0, 0.0)]);
    }
}
