//! The windows of what Prometheus does: pending, firing, sent, resolved.

use super::budget::{CLOCK, REQUEST_TAKES, SCRAPE_TAKES, TIMER_LATE};
use super::crossing::Crossing;
use super::window::Window;

/// The intervals an alert's life depends on, in wall seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clockwork {
    /// Scrape interval of the job that feeds the rule.
    pub scrape: f64,
    /// Scrape timeout of that job; never more than its interval. A scrape that hangs fails after it.
    pub scrape_timeout: f64,
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
    /// `repeat_interval` of the route.
    pub repeat_interval: f64,
    /// Prometheus sends an alert again after so long (`--rules.alert.resend-delay`).
    pub resend: f64,
    /// Whether Prometheus failed to send alerts in the drill: it does not try again before `resend` has passed.
    pub lost_alerts: bool,
}

impl Clockwork {
    /// ⌈F/E⌉·E: a pending alert fires at the first evaluation at which it has been active for `for`.
    pub fn pending_time(&self) -> f64 {
        round_up(self.r#for, self.evaluation)
    }

    /// From the start of a scrape until its samples can be read: as `measured` by Prometheus, or before that was read up
    /// to the timeout.
    fn scrape_takes(&self, measured: Option<f64>) -> f64 {
        SCRAPE_TAKES.max(measured.unwrap_or_else(|| self.scrape_timeout.min(self.scrape)))
    }

    /// How long a change of what is scraped may be unseen: the next scrape, the evaluation after it, and further ones
    /// through recording rules.
    fn unseen(&self) -> f64 {
        self.scrape + self.evaluation + self.recording_delay
    }

    /// Why the alert cannot fire while a cause of `lasts` seconds is there; none when it can.
    pub fn cannot_fire(&self, crossing: Crossing, lasts: f64) -> Option<String> {
        let Some((earliest, _)) = crossing.rise() else { return Some(crossing.why_never()) };
        let needed = earliest.max(0.0) + self.pending_time();
        (needed > lasts + crossing.lingers(self.unseen())).then(|| {
            format!(
                "the fault lasts {lasts:.2}s and the alert needs {needed:.2}s: {:.2}s to cross and ⌈F/E⌉·E = {:.2}s of `for`",
                earliest.max(0.0),
                self.pending_time()
            )
        })
    }

    /// From asking for the fault to the first evaluation at which the expression is true. `switching` is how long the
    /// switch took to answer, `scrape` the longest scrape meanwhile, where it is known. None when the expression never
    /// becomes true.
    pub fn cause_to_pending(
        &self,
        crossing: Crossing,
        switching: f64,
        scrape: Option<f64>,
    ) -> Option<Window> {
        let (earliest, latest) = crossing.rise()?;
        let takes = self.scrape_takes(scrape);
        Some(Window::between(
            (earliest - CLOCK).max(-CLOCK),
            switching + latest + self.unseen() + takes + TIMER_LATE,
            format!(
                "{}; + S {}s + E {}s + recording {}s + switch {switching:.3}s + scrape {takes:.3}s + timer {TIMER_LATE}s",
                crossing.explain(true),
                self.scrape,
                self.evaluation,
                self.recording_delay
            ),
        ))
    }

    /// From the first evaluation at which the expression is true to the first at which the alert fires: evaluations have
    /// exact times. `skipped` is how many Prometheus left out just before it fired, because the one before was late.
    pub fn pending_to_firing(&self, skipped: u32) -> Window {
        let more = f64::from(skipped) * self.evaluation;
        let mut text = format!("⌈F/E⌉·E with F={}s E={}s", self.r#for, self.evaluation);
        if skipped > 0 {
            text = format!("{text}; + E {}s as Prometheus skipped the evaluation before", self.evaluation);
        }
        Window::between(self.pending_time() - CLOCK, self.pending_time() + more + CLOCK, text)
    }

    /// Seconds after an evaluation in which Alertmanager gets what came of it: the evaluation itself takes less than E,
    /// or the next is skipped. An alert whose request failed is sent at the first evaluation after the resend delay.
    pub(crate) fn sent(&self) -> (f64, f64) {
        let lost = if self.lost_alerts { self.resend + self.evaluation } else { 0.0 };
        (-CLOCK, lost + self.evaluation + REQUEST_TAKES + TIMER_LATE)
    }

    /// From firing to Alertmanager having the alert.
    pub fn firing_to_received(&self) -> Window {
        let (earliest, latest) = self.sent();
        let mut text = format!(
            "sent after the evaluation, at most E {}s + request {REQUEST_TAKES}s + timer {TIMER_LATE}s",
            self.evaluation
        );
        if self.lost_alerts {
            text = format!(
                "{text}; + resend delay {}s + E {}s as Prometheus failed to send alerts",
                self.resend, self.evaluation
            );
        }
        Window::between(earliest, latest, text)
    }

    /// From asking for the end of the fault to the first evaluation at which the alert is resolved. `switching` is how
    /// long that took, `scrape` the longest scrape meanwhile, where it is known.
    pub fn undone_to_resolved(&self, crossing: Crossing, switching: f64, scrape: Option<f64>) -> Window {
        let (earliest, latest) = crossing.fall();
        let keep = round_up(self.keep_firing_for, self.evaluation);
        let takes = self.scrape_takes(scrape);
        let scrape = if crossing.falls_at_a_scrape() { self.scrape } else { 0.0 };
        Window::between(
            (earliest - CLOCK).max(-CLOCK) + keep,
            switching + latest + scrape + self.evaluation + self.recording_delay + keep + takes + TIMER_LATE,
            format!(
                "{}; + S {scrape}s + E {}s + recording {}s + ⌈K/E⌉·E {keep}s + switch {switching:.3}s + scrape {takes:.3}s \
                 + timer {TIMER_LATE}s",
                crossing.explain(false),
                self.evaluation,
                self.recording_delay
            ),
        )
    }
}

/// The smallest multiple of `step` that is at least `value`, with a nanosecond of tolerance for binary fractions.
fn round_up(value: f64, step: f64) -> f64 {
    if step <= 0.0 { value } else { (value / step - 1e-9).ceil().abs() * step }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::checks::fixtures;
    use crate::deadline::SteppingMean;

    /// The intervals of the shipped configuration at speed 60.
    pub(in crate::deadline) fn clockwork() -> Clockwork {
        Clockwork { group_wait: 10.0 / 60.0, repeat_interval: 60.0, ..fixtures::clockwork() }
    }

    /// 30 % errors over 5 s at 100 requests a second, 5 % asked: crosses after 0.79 to 0.83 s.
    fn ratio() -> Crossing {
        Crossing::Ratio(mean(0.05, 0.3))
    }

    fn mean(threshold: f64, during: f64) -> SteppingMean {
        SteppingMean {
            window: 5.0,
            threshold,
            before: 0.0,
            during,
            traffic: 1.0,
            unreached: 0.25,
            event: 1.0 / 30.0,
            born: 0.0,
            unsteady: 0.125,
        }
    }

    fn width(window: &Window) -> f64 {
        window.latest() - window.earliest()
    }

    #[test]
    fn an_alert_whose_ratio_stays_below_its_threshold_cannot_fire() {
        let why = clockwork().cannot_fire(Crossing::Ratio(mean(0.99, 0.3)), 8.0).unwrap();
        assert!(why.contains("0.3000") && why.contains("0.99"), "{why}");
    }

    #[test]
    fn an_alert_whose_for_is_longer_than_the_fault_cannot_fire() {
        assert!(clockwork().cannot_fire(ratio(), 4.0).is_some());
        assert!(clockwork().cannot_fire(ratio(), 8.0).is_none());
    }

    #[test]
    fn an_unsolved_condition_may_fire_while_its_history_still_shows_the_cause() {
        let unsolved = |history| Crossing::Within { history, delay: 0.0 };
        assert!(clockwork().cannot_fire(unsolved(5.0), 1.0).is_none());
        assert!(clockwork().cannot_fire(unsolved(1.0), 1.0).is_some());
        assert!(clockwork().cannot_fire(Crossing::Immediate, 4.8).is_none());
        assert!(clockwork().cannot_fire(Crossing::Immediate, 4.0).is_some());
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
    fn firing_is_exact_and_a_skipped_evaluation_is_one_more() {
        let window = clockwork().pending_to_firing(0);
        assert!(window.holds(5.0) && !window.holds(4.75) && !window.holds(5.25));
        assert!(clockwork().pending_to_firing(1).holds(5.25));
    }

    #[test]
    fn a_gauge_is_seen_within_a_scrape_and_an_evaluation() {
        // 0.25 + 0.25 + a switch of 0.01 + 0.05 + 0.08 = 0.64 s.
        let window = clockwork().cause_to_pending(Crossing::Immediate, 0.01, Some(0.0)).unwrap();
        assert!(window.holds(0.0) && window.holds(0.63) && !window.holds(0.65) && !window.holds(-0.03));
        assert_eq!(
            clockwork().undone_to_resolved(Crossing::Immediate, 0.01, Some(0.0)).spans(),
            window.spans()
        );
    }

    #[test]
    fn a_scrape_takes_what_prometheus_counted_and_before_that_is_known_up_to_its_timeout() {
        let latest = |measured, timeout| {
            let clockwork = Clockwork { scrape_timeout: timeout, ..clockwork() };
            clockwork.cause_to_pending(Crossing::Immediate, 0.0, measured).unwrap().latest()
        };
        // 0.58 s and what a scrape takes: the budget, what was measured, the timeout, the interval.
        let cases = [(Some(0.01), 0.2, 0.05), (Some(0.1), 0.2, 0.1), (None, 0.2, 0.2), (None, 10.0, 0.25)];
        for (measured, timeout, takes) in cases {
            assert!((latest(measured, timeout) - 0.58 - takes).abs() < 1e-9, "{measured:?} {timeout}");
        }
    }

    #[test]
    fn an_alert_that_was_lost_comes_with_the_resend() {
        let lost = Clockwork { lost_alerts: true, ..clockwork() };
        // 0.25 + 0.05 + 0.08 = 0.38 s; with the resend 1.25 s more.
        assert!(!clockwork().firing_to_received().holds(0.4) && clockwork().firing_to_received().holds(0.37));
        assert!(lost.firing_to_received().holds(1.62) && !lost.firing_to_received().holds(1.64));
    }

    #[test]
    fn keep_firing_for_is_a_whole_number_of_evaluations_later() {
        let keeping = Clockwork { keep_firing_for: 0.6, ..clockwork() };
        let window = keeping.undone_to_resolved(Crossing::Immediate, 0.0, Some(0.0));
        assert!(
            (window.earliest() - 0.73).abs() < 1e-9 && (window.latest() - 1.38).abs() < 1e-9,
            "{window:?}"
        );
    }

    #[test]
    fn gauges_are_known_to_an_interval_each_and_a_fifth_of_a_second_and_ratios_to_a_tenth_of_the_window_more()
    {
        let clockwork = clockwork();
        let gauge = clockwork.scrape + clockwork.evaluation + 0.2;
        let crossing = gauge + 0.1 * 5.0;
        let switch = 0.03;
        for window in [
            clockwork.cause_to_pending(Crossing::Immediate, switch, Some(0.04)).unwrap(),
            clockwork.undone_to_resolved(Crossing::Immediate, switch, Some(0.04)),
            clockwork.pending_to_firing(0),
            clockwork.firing_to_received(),
        ] {
            assert!(width(&window) <= gauge, "{window:?}");
        }
        let busy = SteppingMean { before: 0.1, unsteady: 0.15, event: 0.0, ..mean(0.8, 1.0) };
        for one in [ratio(), Crossing::Busy(busy), Crossing::Busy(SteppingMean { before: 0.5, ..busy })] {
            let rise = clockwork.cause_to_pending(one, switch, Some(0.04)).unwrap();
            let fall = clockwork.undone_to_resolved(one, switch, Some(0.04));
            assert!(width(&rise) <= crossing && width(&fall) <= crossing, "{rise:?} {fall:?}");
        }
    }
}
