//! Deadlines: for each step of an alert's life the window in which it must end, computed from the running
//! configuration.
//!
//! Pure arithmetic in wall seconds. Each window counts from the step before it. S is the scrape interval, E the
//! evaluation interval, F `for`, K `keep_firing_for`, GW and GI group wait and group interval, w the rule's window.

/// What the scheduler, the network and the poll of the harness may add to any step on a loaded host, in seconds.
const SLACK: f64 = 0.4;

/// The clocks of two processes of one host, read in milliseconds, may disagree by so much, in seconds.
const CLOCK: f64 = 0.02;

/// Alertmanager's first wait between two tries, in seconds, before its random factor.
const FIRST_RETRY: f64 = 0.5;

/// Its longest one.
const LONGEST_RETRY: f64 = 60.0;

/// Alertmanager does not give a notification up before so many seconds.
const SHORTEST_NOTIFY_TIMEOUT: f64 = 10.0;

/// How far a measured ratio may be from the computed one, as a share of the window: the samples in a window do not
/// reach its edges, and extrapolation fills the rest.
const RATIO_TOLERANCE: f64 = 0.05;

/// The intervals an alert's life depends on, in wall seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clockwork {
    /// Scrape interval of the job that feeds the rule.
    pub scrape: f64,
    /// Evaluation interval of the rule's group.
    pub evaluation: f64,
    /// Evaluations that pass between raw samples and the alert because recording rules lie in other groups.
    pub recording_delay: f64,
    /// `for`.
    pub r#for: f64,
    /// `keep_firing_for`.
    pub keep_firing_for: f64,
    /// `group_wait` of the route.
    pub group_wait: f64,
    /// `group_interval` of the route.
    pub group_interval: f64,
}

/// How the rule's expression follows its cause.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Crossing {
    /// A ratio over a window that steps from one value to another.
    Ratio {
        /// The rule's window w.
        window: f64,
        /// Threshold θ.
        threshold: f64,
        /// Ratio before the fault, r0.
        before: f64,
        /// Ratio of events under the fault, r1.
        during: f64,
    },
    /// A value that is true as soon as it is scraped.
    Immediate,
    /// A shape that is not solved for this cause: somewhere within its longest history, and what the cause adds.
    Within {
        /// The longest history the expression looks at.
        history: f64,
        /// How much later than it begins, and than it ends, the cause can show in a metric.
        delay: f64,
    },
}

/// A window for the end of a step, in seconds after the step before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Earliest end.
    pub earliest: f64,
    /// Latest end.
    pub latest: f64,
    /// How it was computed, in numbers.
    pub computed_from: String,
}

impl Window {
    /// Whether an observation lies inside.
    pub fn holds(&self, seconds: f64) -> bool {
        (self.earliest..=self.latest).contains(&seconds)
    }
}

impl Crossing {
    /// Seconds from the cause to the expression becoming true, as (earliest, latest); none when it never does.
    ///
    /// A ratio over w that steps r0 -> r1 crosses θ after w(θ−r0)/(r1−r0).
    fn rise(self) -> Option<(f64, f64)> {
        match self {
            Self::Ratio { window, threshold, before, during } => (during > threshold).then(|| {
                let crossing = window * ((threshold - before) / (during - before)).max(0.0);
                let tolerance = window * RATIO_TOLERANCE;
                (crossing - tolerance, crossing + tolerance)
            }),
            Self::Immediate => Some((0.0, 0.0)),
            Self::Within { history, delay } => Some((0.0, history + delay)),
        }
    }

    /// Seconds from the end of the cause to the expression becoming false, as (earliest, latest).
    ///
    /// A ratio over w that steps r1 -> r0 falls to θ after w(r1−θ)/(r1−r0).
    fn fall(self) -> (f64, f64) {
        match self {
            Self::Ratio { window, threshold, before, during } => {
                let drain = window * ((during - threshold) / (during - before)).clamp(0.0, 1.0);
                let tolerance = window * RATIO_TOLERANCE;
                (drain - tolerance, drain + tolerance)
            }
            Self::Immediate => (0.0, 0.0),
            Self::Within { history, delay } => (0.0, history + delay),
        }
    }

    /// How long the expression may still be true after the cause ended, as far as an alert that fires only then counts as
    /// one that can fire: a solved ratio says exactly when it crosses, and its alert is to fire while the cause lasts.
    fn lingers(self, clockwork: &Clockwork) -> f64 {
        let unseen = clockwork.scrape + clockwork.evaluation + clockwork.recording_delay;
        match self {
            Self::Ratio { .. } => 0.0,
            Self::Immediate => unseen,
            Self::Within { history, delay } => unseen + history + delay,
        }
    }

    fn explain(self, rising: bool) -> String {
        match self {
            Self::Ratio { window, threshold, before, during } => {
                let formula = if rising { "w(θ−r0)/(r1−r0)" } else { "w(r1−θ)/(r1−r0)" };
                format!("{formula} with w={window}s θ={threshold} r0={before:.4} r1={during:.4}")
            }
            Self::Immediate => "true as soon as it is scraped".to_owned(),
            Self::Within { history, delay } => {
                format!(
                    "not solved for this cause, outer bound: its history of {history}s and {delay}s until the cause shows"
                )
            }
        }
    }
}

impl Clockwork {
    /// ⌈F/E⌉·E: a pending alert fires at the first evaluation at which it has been active for `for`.
    pub fn pending_time(&self) -> f64 {
        round_up(self.r#for, self.evaluation)
    }

    /// Why the alert cannot fire while a cause of `lasts` seconds is there; none when it can.
    pub fn cannot_fire(&self, crossing: Crossing, lasts: f64) -> Option<String> {
        let Some((earliest, _)) = crossing.rise() else {
            let Crossing::Ratio { threshold, during, .. } = crossing else {
                return Some("the expression cannot become true".to_owned());
            };
            return Some(format!("the fault drives the ratio to {during:.4}, the threshold is {threshold}"));
        };
        let needed = earliest.max(0.0) + self.pending_time();
        (needed > lasts + crossing.lingers(self)).then(|| {
            format!(
                "the fault lasts {lasts:.2}s and the alert needs {needed:.2}s: {:.2}s to cross and ⌈F/E⌉·E = {:.2}s of `for`",
                earliest.max(0.0),
                self.pending_time()
            )
        })
    }

    /// From asking for the fault to the first evaluation at which the expression is true. `switching` is how long the
    /// switch took to answer. None when the expression never becomes true.
    pub fn cause_to_pending(&self, crossing: Crossing, switching: f64) -> Option<Window> {
        let (earliest, latest) = crossing.rise()?;
        Some(Window {
            earliest: (earliest - CLOCK).max(-CLOCK),
            latest: switching + latest + self.scrape + self.evaluation + self.recording_delay + SLACK,
            computed_from: format!(
                "{}; + S {}s + E {}s + recording {}s",
                crossing.explain(true),
                self.scrape,
                self.evaluation,
                self.recording_delay
            ),
        })
    }

    /// From the first evaluation at which the expression is true to the first at which the alert fires.
    pub fn pending_to_firing(&self) -> Window {
        Window {
            earliest: self.pending_time() - CLOCK,
            latest: self.pending_time() + self.evaluation + SLACK,
            computed_from: format!("⌈F/E⌉·E with F={}s E={}s", self.r#for, self.evaluation),
        }
    }

    /// From firing to Alertmanager having the alert.
    pub fn firing_to_received(&self) -> Window {
        Window {
            earliest: -CLOCK,
            latest: self.evaluation + SLACK,
            computed_from: format!("sent after the evaluation, at most E {}s", self.evaluation),
        }
    }

    /// From Alertmanager having the alert, which opens a new group, to the receiver having the notification.
    pub fn received_to_delivered(&self) -> Window {
        Window {
            earliest: self.group_wait - CLOCK,
            latest: self.group_wait + SLACK,
            computed_from: format!("new group: group_wait {}s", self.group_wait),
        }
    }

    /// From asking for the end of the fault to the first evaluation at which the alert is resolved.
    pub fn undone_to_resolved(&self, crossing: Crossing, switching: f64) -> Window {
        let (earliest, latest) = crossing.fall();
        let keep = round_up(self.keep_firing_for, self.evaluation);
        Window {
            earliest: (earliest - CLOCK).max(-CLOCK) + keep,
            latest: switching + latest + self.scrape + self.evaluation + self.recording_delay + keep + SLACK,
            computed_from: format!(
                "{}; + S {}s + E {}s + recording {}s + ⌈K/E⌉·E {keep}s",
                crossing.explain(false),
                self.scrape,
                self.evaluation,
                self.recording_delay
            ),
        }
    }

    /// The same when other alerts are in the group: it may have been flushed before, and ticks then.
    pub fn received_to_delivered_in_a_shared_group(&self) -> Window {
        Window {
            earliest: -CLOCK,
            latest: self.group_wait + self.group_interval + SLACK,
            computed_from: format!(
                "shared group, outer bound: group_wait {}s + group_interval {}s",
                self.group_wait, self.group_interval
            ),
        }
    }

    /// From the resolving evaluation to the receiver having the notification, when it came `since_flush` seconds after
    /// the group's first flush: Alertmanager's ticks fall at first flush + `n·group_interval`. None when a flush took
    /// longer than that, which moves all later ticks.
    pub fn resolved_to_delivered(&self, since_flush: Option<f64>) -> Window {
        let Some(since_flush) = since_flush else {
            return Window {
                earliest: -CLOCK,
                latest: self.evaluation + self.group_interval + SLACK,
                computed_from: format!(
                    "some tick, outer bound: E {}s + group_interval {}s; an earlier notification took longer than that and moved the ticks",
                    self.evaluation, self.group_interval
                ),
            };
        };
        let to_tick = round_up(since_flush.max(0.0), self.group_interval) - since_flush;
        // What Alertmanager gets just before a tick is told at this one or at the next.
        let close = to_tick < self.evaluation + SLACK;
        Window {
            earliest: (to_tick - SLACK / 2.0).max(-CLOCK),
            latest: to_tick + SLACK + if close { self.group_interval } else { 0.0 },
            computed_from: format!(
                "next tick of group_interval {}s, {since_flush:.2}s after the group's first flush{}",
                self.group_interval,
                if close { "; so close to a tick that the next one may be meant" } else { "" }
            ),
        }
    }

    /// `window` of a delivery to a receiver that fails from `from` to `until`, in seconds after the step before: when
    /// the first try can fall into that time, the last one comes a retry after it.
    ///
    /// Alertmanager waits 0.5 s after the first failed try and 1.5 times as long after each further one, each time up
    /// to half less or more. After its notify timeout, [`SHORTEST_NOTIFY_TIMEOUT`] or the group interval if that is
    /// longer, it gives up, and begins anew at once: the group's next tick is due by then.
    pub fn with_failing_receiver(&self, window: Window, from: f64, until: f64) -> Window {
        if window.latest < from || window.earliest > until {
            return window;
        }
        let timeout = self.group_interval.max(SHORTEST_NOTIFY_TIMEOUT);
        let failing = ((until - window.latest).max(0.0), (until - window.earliest).max(0.0));
        let wait = longest_wait(failing, timeout);
        Window {
            latest: window.latest.max(until + wait + SLACK),
            computed_from: format!(
                "{}; the receiver fails until {until:.2}s, and {wait:.2}s is the longest wait for a further try, notify timeout {timeout}s",
                window.computed_from
            ),
            ..window
        }
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

/// The smallest multiple of `step` that is at least `value`, with a nanosecond of tolerance for binary fractions.
fn round_up(value: f64, step: f64) -> f64 {
    if step <= 0.0 { value } else { (value / step - 1e-9).ceil().abs() * step }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The intervals of the shipped configuration at speed 60.
    fn clockwork() -> Clockwork {
        Clockwork {
            scrape: 0.25,
            evaluation: 0.25,
            recording_delay: 0.0,
            r#for: 5.0,
            keep_firing_for: 0.0,
            group_wait: 10.0 / 60.0,
            group_interval: 5.0,
        }
    }

    fn ratio(during: f64) -> Crossing {
        Crossing::Ratio { window: 300.0, threshold: 0.05, before: 0.0, during }
    }

    #[test]
    fn an_error_ratio_crosses_after_w_theta_over_e() {
        // 5 m, 5 %: 15 s at 100 %, 150 s at 10 %, never at 5 %.
        for (during, expected) in [(1.0, 15.0), (0.1, 150.0)] {
            let (earliest, latest) = ratio(during).rise().unwrap();
            assert!((f64::midpoint(earliest, latest) - expected).abs() < 1e-9, "{during}");
        }
        assert_eq!(ratio(0.05).rise(), None);
        assert_eq!(ratio(0.0).rise(), None);
    }

    #[test]
    fn an_alert_whose_ratio_stays_below_its_threshold_cannot_fire() {
        let crossing = Crossing::Ratio { window: 5.0, threshold: 0.99, before: 0.0, during: 0.3 };
        let why = clockwork().cannot_fire(crossing, 8.0).unwrap();
        assert!(why.contains("0.3000") && why.contains("0.99"), "{why}");
    }

    #[test]
    fn an_alert_whose_for_is_longer_than_the_fault_cannot_fire() {
        let crossing = Crossing::Ratio { window: 5.0, threshold: 0.05, before: 0.0, during: 0.3 };
        assert!(clockwork().cannot_fire(crossing, 4.0).is_some());
        assert!(clockwork().cannot_fire(crossing, 8.0).is_none());
    }

    #[test]
    fn pending_lasts_a_whole_number_of_evaluations() {
        let mut clockwork = clockwork();
        assert!((clockwork.pending_time() - 5.0).abs() < 1e-9);
        clockwork.r#for = 5.1;
        assert!((clockwork.pending_time() - 5.25).abs() < 1e-9);
        clockwork.r#for = 0.0;
        assert!(clockwork.pending_time().abs() < 1e-9);
    }

    #[test]
    fn a_resolved_alert_is_told_at_the_next_tick_of_its_group() {
        let window = clockwork().resolved_to_delivered(Some(7.0));
        assert!(window.holds(3.0) && !window.holds(2.5) && !window.holds(4.0), "{window:?}");
        let close = clockwork().resolved_to_delivered(Some(9.4));
        assert!(close.holds(0.6) && close.holds(5.6), "{close:?}");
    }

    #[test]
    fn an_unsolved_condition_may_fire_while_its_history_still_shows_the_cause() {
        let unsolved = Crossing::Within { history: 5.0, delay: 0.0 };
        assert!(clockwork().cannot_fire(unsolved, 1.0).is_none());
        assert!(clockwork().cannot_fire(Crossing::Within { history: 1.0, delay: 0.0 }, 1.0).is_some());
        assert!(clockwork().cannot_fire(Crossing::Immediate, 4.8).is_none());
        assert!(clockwork().cannot_fire(Crossing::Immediate, 4.0).is_some());
    }

    #[test]
    fn a_failing_receiver_allows_one_retry_after_it_works_again() {
        let window = || clockwork().received_to_delivered();
        let failing = |from, until| clockwork().with_failing_receiver(window(), from, until);
        // Over before the first try, or begun after it: nothing changes.
        assert_eq!(failing(-3.0, 0.1), window());
        assert_eq!(failing(1.0, 9.0), window());
        // 2 s of failing: waits of 0.25, 0.375, 0.5625 may have passed, and one of at most 1.5·1.6875 s runs.
        let two_seconds = failing(0.0, 2.0);
        assert!(two_seconds.holds(2.0 + 2.5) && !two_seconds.holds(2.0 + 3.1), "{two_seconds:?}");
        assert!((two_seconds.earliest - window().earliest).abs() < 1e-9);
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

    #[test]
    fn an_early_observation_is_outside_its_window() {
        let window = clockwork().pending_to_firing();
        assert!(window.holds(5.0) && window.holds(5.25) && !window.holds(4.75) && !window.holds(6.0));
    }

    #[test]
    fn windows_of_pending_and_delivery_are_narrower_than_scrape_evaluation_and_a_second() {
        let clockwork = clockwork();
        let widest = clockwork.scrape + clockwork.evaluation + 1.0;
        let crossing = Crossing::Ratio { window: 5.0, threshold: 0.05, before: 0.0, during: 0.3 };
        for window in [
            clockwork.cause_to_pending(crossing, 0.0).unwrap(),
            clockwork.cause_to_pending(Crossing::Immediate, 0.0).unwrap(),
            clockwork.pending_to_firing(),
            clockwork.firing_to_received(),
            clockwork.received_to_delivered(),
            clockwork.undone_to_resolved(crossing, 0.0),
            clockwork.resolved_to_delivered(Some(7.0)),
        ] {
            assert!(window.latest - window.earliest <= widest, "{window:?}");
        }
    }
}
