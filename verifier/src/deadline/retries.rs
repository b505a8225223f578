//! What a receiver that fails does to the window of a notification: Alertmanager tries again and again.

use super::budget::{REQUEST_TAKES, TIMER_LATE, TRIES_TAKE};
use super::clockwork::Clockwork;
use super::window::Window;

/// Alertmanager's first wait between two tries, in seconds, before its random factor.
const FIRST_RETRY: f64 = 0.5;

/// Its longest one.
const LONGEST_RETRY: f64 = 60.0;

/// Alertmanager does not give a notification up before so many seconds.
const SHORTEST_NOTIFY_TIMEOUT: f64 = 10.0;

impl Clockwork {
    /// How long Alertmanager tries to tell something before it gives up and begins anew, in seconds (`timeoutFunc` in its
    /// main.go).
    pub(crate) fn notify_timeout(&self) -> f64 {
        self.group_interval.max(SHORTEST_NOTIFY_TIMEOUT)
    }

    /// `window` of a delivery to a receiver that fails from `from` to `until`, in seconds after the step before: when
    /// the first try can fall into that time, the last one comes a retry after it.
    ///
    /// Alertmanager waits 0.5 s after the first failed try and 1.5 times as long after each further one, each time up
    /// to half less or more. After its notify timeout, 10 s or the group interval if that is longer, it gives up, and
    /// begins anew at once: the group's next tick is due by then.
    pub fn with_failing_receiver(&self, window: Window, from: f64, until: f64) -> Window {
        let (earliest, latest) = (window.earliest(), window.latest());
        if latest < from || earliest > until {
            return window;
        }
        let timeout = self.notify_timeout();
        let wait = longest_wait(((until - latest).max(0.0), (until - earliest).max(0.0)), timeout);
        let why = format!(
            "the receiver fails until {until:.2}s, and {wait:.2}s is the longest wait for a further try, notify timeout {timeout}s"
        );
        window.until_at_least(until + wait + TRIES_TAKE + REQUEST_TAKES + TIMER_LATE, &why)
    }
}

/// The longest that Alertmanager can be waiting for its next try, between so many seconds after its first one failed: the
/// n-th wait is 0.5·1.5ⁿ s, at most 60 s, times a factor between 0.5 and 1.5. As many waits as possible, each as short as
/// possible, have passed; the one that runs is as long as possible, and `timeout` ends it.
fn longest_wait((shortest, longest): (f64, f64), timeout: f64) -> f64 {
    let waits = std::iter::successors(Some((0.0, FIRST_RETRY)), |(passed, wait)| {
        Some((passed + 0.5 * wait, (wait * 1.5_f64).min(LONGEST_RETRY)))
    });
    if longest < timeout {
        let begun = waits.take_while(|(passed, _)| *passed <= longest);
        let runs = begun.fold(0.0, |_, (_, wait)| 1.5 * wait);
        return runs.min(timeout - shortest);
    }
    // It gave up once or more: nobody knows how long ago it began anew.
    let begun = waits.take_while(|(passed, _)| *passed < timeout);
    begun.fold(0.0, |most, (passed, wait)| most.max((1.5 * wait).min(timeout - passed)))
}

#[cfg(test)]
mod tests {
    use super::super::clockwork::tests::clockwork;
    use super::super::group::{FirstFlush, Group};
    use super::*;

    #[test]
    fn a_failing_receiver_allows_one_retry_after_it_works_again() {
        let flush = FirstFlush::of_a_new_group(&clockwork(), 0.0, 0.0);
        let window = || clockwork().received_to_delivered(&[Group::New(flush)], 0.0, None, "new group");
        let failing = |from, until| clockwork().with_failing_receiver(window(), from, until);
        // Over before the first try, or begun after it: nothing changes.
        assert_eq!(failing(-3.0, 0.1), window());
        assert_eq!(failing(1.0, 9.0), window());
        // 2 s of failing: waits of 0.25, 0.375, 0.5625 may have passed, and one of at most 1.5·1.6875 s runs.
        let two_seconds = failing(0.0, 2.0);
        assert!(two_seconds.holds(2.0 + 2.5) && !two_seconds.holds(2.0 + 3.1), "{two_seconds:?}");
        assert!((two_seconds.earliest() - window().earliest()).abs() < 1e-9);
        // It gives up 10 s after its first try and begins anew at once.
        let nearly = failing(0.0, 9.9);
        assert!(nearly.holds(9.9 + 0.6) && !nearly.holds(9.9 + 1.2), "{nearly:?}");
        let given_up = failing(0.0, 12.0);
        assert!(given_up.holds(12.0 + 6.0) && !given_up.holds(12.0 + 8.0), "{given_up:?}");
    }

    #[test]
    fn the_longest_wait_for_a_further_try_grows_up_to_what_the_timeout_leaves() {
        let wait = |failing: f64, timeout| longest_wait((failing, failing), timeout);
        assert!((wait(0.0, 10.0) - 0.75).abs() < 1e-9);
        assert!((wait(0.25, 10.0) - 1.125).abs() < 1e-9);
        assert!((wait(9.0, 10.0) - 1.0).abs() < 1e-9);
        assert!((wait(10_000.0, 20_000.0) - 90.0).abs() < 1e-9);
        assert!(wait(25.0, 10.0) > 5.0 && wait(25.0, 10.0) < 7.0);
    }
}
