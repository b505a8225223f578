//! The windows of a soak: the same drill under names of their own, until the time is over.

use std::time::Duration;

use firedrill_drill::Drill;
use firedrill_record::DrillName;
use thiserror::Error;
use tokio::time::Instant;

/// Windows have numbers of so many digits; there are no more than they can say.
const DIGITS: usize = 4;
const MOST_WINDOWS: u32 = 9999;

/// A drill cannot be soaked.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum NotSoakable {
    /// It breaks something.
    #[error("{drill} injects a fault: a soak is steady load")]
    HasFaults {
        /// The drill.
        drill: DrillName,
    },
    /// Its windows could not be named.
    #[error("{drill}-0001 is too long for a name of a window")]
    NameTooLong {
        /// The drill.
        drill: DrillName,
    },
}

/// The windows of one soak.
#[derive(Debug)]
pub(crate) struct Windows {
    drill: Drill,
    length: Duration,
    whole: Duration,
    /// When the first window began.
    began: Option<Instant>,
    given: u32,
}

impl Windows {
    /// Windows of `length` of `drill`, as many as fit into `whole`, and at least one.
    pub(crate) fn new(drill: Drill, length: Duration, whole: Duration) -> Result<Self, NotSoakable> {
        if !drill.timeline.is_empty() {
            return Err(NotSoakable::HasFaults { drill: drill.name });
        }
        if named(&drill.name, MOST_WINDOWS).is_none() {
            return Err(NotSoakable::NameTooLong { drill: drill.name });
        }
        Ok(Self { drill, length, whole, began: None, given: 0 })
    }

    /// The next window; none when it would not fit into the time any more.
    pub(crate) fn next(&mut self) -> Option<Drill> {
        let began = *self.began.get_or_insert_with(Instant::now);
        let fits = self.given == 0 || began.elapsed() + self.length <= self.whole;
        if !fits || self.given == MOST_WINDOWS {
            return None;
        }
        self.given += 1;
        let name = named(&self.drill.name, self.given)?;
        Some(Drill { name, lasts: Some(self.length), ..self.drill.clone() })
    }
}

fn named(drill: &DrillName, number: u32) -> Option<DrillName> {
    format!("{drill}-{number:0DIGITS$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use firedrill_drill::load_drill;

    use super::*;

    fn drill(path: &str) -> Drill {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scenarios/catalog");
        load_drill(&root.join(path)).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn windows_follow_each_other_while_a_whole_one_fits() {
        let steady = drill("truth/fifty-thousand-requests-are-counted-exactly.yaml");
        let minute = Duration::from_mins(1);
        let mut windows = Windows::new(steady, 2 * minute, 7 * minute).unwrap();
        let mut names = Vec::new();
        while let Some(window) = windows.next() {
            assert_eq!(window.lasts, Some(2 * minute));
            names.push(window.name.to_string());
            tokio::time::advance(2 * minute + Duration::from_secs(20)).await;
        }
        let expected: Vec<String> = ["0001", "0002", "0003"]
            .map(|number| format!("fifty-thousand-requests-are-counted-exactly-{number}"))
            .into();
        assert_eq!(names, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_window_runs_even_when_it_is_longer_than_the_soak() {
        let steady = drill("truth/fifty-thousand-requests-are-counted-exactly.yaml");
        let mut windows = Windows::new(steady, Duration::from_mins(10), Duration::from_mins(1)).unwrap();
        assert!(windows.next().is_some());
        assert_eq!(windows.next(), None);
    }

    #[test]
    fn a_drill_with_a_fault_is_no_soak() {
        let faulty = drill("services/user-service-errors-page-the-team.yaml");
        let error = Windows::new(faulty, Duration::from_mins(1), Duration::from_mins(2)).unwrap_err();
        assert!(matches!(error, NotSoakable::HasFaults { .. }));
    }
}
