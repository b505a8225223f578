//! How a rule's expression follows its cause: when it becomes true, and when false again.

/// How the rule's expression follows its cause.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Crossing {
    /// A ratio of two rates over a window that steps from one value to another.
    Ratio(SteppingMean),
    /// A share of processor time over a window that steps from one value to another.
    Busy(SteppingMean),
    /// A value that is true as soon as it is scraped.
    Immediate,
    /// A value that stays on the wrong side of the threshold while the cause is there.
    Never {
        /// The value.
        value: f64,
        /// Threshold θ.
        threshold: f64,
    },
    /// A shape that is not solved for this cause: somewhere within its longest history, and what the cause adds.
    Within {
        /// The longest history the expression looks at.
        history: f64,
        /// How much later than it begins, and than it ends, the cause can show in a metric.
        delay: f64,
    },
}

/// A mean over a window w of what steps from r0 to r1 when the cause begins and back when it ends.
///
/// `rate` does not see the edges of its window: of w it covers w − δ − ε, where δ lies before the first sample in it and
/// ε after the last; both are at most S, and together S + (w mod S). Extrapolation multiplies numerator and denominator
/// by the same factor, which cancels, but for a counter that stood at 0: Prometheus does not extrapolate it below its
/// zero, so that it counts up to δ/w less (`extrapolatedRate` in promql/functions.go). The mean then crosses between the
/// two formulas with w − δ − ε and w.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SteppingMean {
    /// The rule's window w, in seconds.
    pub window: f64,
    /// Threshold θ.
    pub threshold: f64,
    /// The mean before the cause, r0.
    pub before: f64,
    /// The mean of what the cause alone gives, r1.
    pub during: f64,
    /// Events a second under the cause as a multiple of those before it, g; 1 for what is no events.
    pub traffic: f64,
    /// So many seconds of the window its samples may not reach: S + (w mod S).
    pub unreached: f64,
    /// Seconds from one counted event to the next under the cause: the mean moves in such steps.
    pub event: f64,
    /// Seconds that a series which is not there before the cause needs to count: it counts from its second sample on.
    pub born: f64,
    /// What the flow may deviate from its mean, in seconds: a share of the window.
    pub unsteady: f64,
}

impl SteppingMean {
    /// k, the share of the window that must lie under the cause for the mean to be at θ: b of w seconds with g times the
    /// events at r1, the rest at r0, give (r0(w−b) + g·r1·b)/((w−b) + g·b) = θ, so that
    /// k = b/w = (θ−r0)/((θ−r0) + g(r1−θ)), which is (θ−r0)/(r1−r0) for g = 1.
    pub fn share(&self) -> f64 {
        let surplus = self.traffic * (self.during - self.threshold);
        if self.during <= self.threshold {
            return 1.0;
        }
        let missing = (self.threshold - self.before).max(0.0);
        missing / (missing + surplus)
    }

    /// What the mean may be off in time, in seconds.
    fn tolerance(&self) -> f64 {
        self.unsteady + self.event
    }

    /// Between k(w−u) and k·w, u being what samples do not reach; none when it never comes there.
    fn rise(&self) -> Option<(f64, f64)> {
        (self.during > self.threshold).then(|| {
            let share = self.share();
            let first = share * (self.window - self.unreached).max(0.0) - self.tolerance();
            (first, share * self.window + self.tolerance() + self.born)
        })
    }

    /// Between (1−k)(w−u) and (1−k)w + k·u. The newest sample adds nothing to the latter: the window moves on with each
    /// evaluation, so that what it waits for is not the next scrape.
    fn fall(&self) -> (f64, f64) {
        let (share, rest) = (self.share(), 1.0 - self.share());
        let first = rest * (self.window - self.unreached).max(0.0) - self.tolerance();
        (first, rest * self.window + share * self.unreached + self.tolerance())
    }

    fn explain(&self, rising: bool) -> String {
        let Self { window, threshold, before, during, traffic, .. } = self;
        let share = self.share();
        let seconds = window * if rising { share } else { 1.0 - share };
        let formula = match (rising, (traffic - 1.0).abs() < 0.005) {
            (true, true) => "w(θ−r0)/(r1−r0)",
            (false, true) => "w(r1−θ)/(r1−r0)",
            (true, false) => "w(θ−r0)/((θ−r0)+g(r1−θ))",
            (false, false) => "w·g(r1−θ)/((θ−r0)+g(r1−θ))",
        };
        let mut text = format!(
            "{formula} = {seconds:.3}s with w={window}s θ={threshold:.4} r0={before:.4} r1={during:.4} g={traffic:.2}, \
             ± {:.3}s for what is unsteady and single events",
            self.tolerance()
        );
        if rising && self.born > 0.0 {
            text = format!("{text}, + {:.3}s as no such series was there before", self.born);
        }
        text
    }
}

impl Crossing {
    /// Seconds from the cause to the expression becoming true at a scrape, as (earliest, latest); none when it never
    /// does.
    pub(super) fn rise(self) -> Option<(f64, f64)> {
        match self {
            Self::Ratio(mean) | Self::Busy(mean) => mean.rise(),
            Self::Immediate => Some((0.0, 0.0)),
            Self::Never { .. } => None,
            Self::Within { history, delay } => Some((0.0, history + delay)),
        }
    }

    /// Seconds from the end of the cause to the expression becoming false, as (earliest, latest).
    pub(super) fn fall(self) -> (f64, f64) {
        match self {
            Self::Ratio(mean) | Self::Busy(mean) => mean.fall(),
            Self::Immediate | Self::Never { .. } => (0.0, 0.0),
            Self::Within { history, delay } => (0.0, history + delay),
        }
    }

    /// Whether what ends must be scraped to be seen: a window moves on without.
    pub(super) fn falls_at_a_scrape(self) -> bool {
        match self {
            Self::Ratio(_) | Self::Busy(_) => false,
            Self::Immediate | Self::Never { .. } | Self::Within { .. } => true,
        }
    }

    /// Seconds that the expression may still be true after the cause ended, as far as an alert that fires only then
    /// counts as one that can fire: a solved mean says exactly when it crosses, and its alert is to fire while the cause
    /// lasts. `unseen` is how long a change takes to be seen.
    pub(super) fn lingers(self, unseen: f64) -> f64 {
        match self {
            Self::Ratio(_) | Self::Busy(_) | Self::Never { .. } => 0.0,
            Self::Immediate => unseen,
            Self::Within { history, delay } => unseen + history + delay,
        }
    }

    /// Why the expression never becomes true, when it never does.
    pub(super) fn why_never(self) -> String {
        match self {
            Self::Ratio(SteppingMean { during, threshold, .. }) => {
                format!("the fault drives the ratio to {during:.4}, the threshold is {threshold}")
            }
            Self::Busy(SteppingMean { during, threshold, .. }) => {
                format!("the fault keeps {during:.4} of the processors busy, the threshold is {threshold:.4}")
            }
            Self::Never { value, threshold } => {
                format!("the fault sets the gauge to {value}, the threshold is {threshold}")
            }
            Self::Immediate | Self::Within { .. } => "the expression cannot become true".to_owned(),
        }
    }

    pub(super) fn explain(self, rising: bool) -> String {
        match self {
            Self::Ratio(mean) | Self::Busy(mean) => mean.explain(rising),
            Self::Immediate => {
                if rising { "true as soon as it is scraped" } else { "false as soon as it is scraped" }
                    .to_owned()
            }
            Self::Never { .. } => self.why_never(),
            Self::Within { history, delay } => {
                format!(
                    "not solved for this cause, outer bound: its history of {history}s and {delay}s until the cause shows"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 5 m and 5 %, scraped every 15 s, from r0 = 0 to `during`.
    fn unscaled(during: f64) -> SteppingMean {
        SteppingMean {
            window: 300.0,
            threshold: 0.05,
            before: 0.0,
            during,
            traffic: 1.0,
            unreached: 15.0,
            event: 0.0,
            born: 0.0,
            unsteady: 0.0,
        }
    }

    #[test]
    fn an_error_ratio_crosses_after_w_theta_over_e() {
        // 5 m, 5 %: 15 s at 100 %, 150 s at 10 %, never at 5 %. One sample less of the window: 14.25 s, 142.5 s.
        for (during, latest, earliest) in [(1.0, 15.0, 14.25), (0.1, 150.0, 142.5)] {
            let (first, last) = unscaled(during).rise().unwrap();
            assert!(
                (last - latest).abs() < 1e-9 && (first - earliest).abs() < 1e-9,
                "{during}: {first} {last}"
            );
        }
        assert_eq!(unscaled(0.05).rise(), None);
        assert_eq!(unscaled(0.0).rise(), None);
    }

    #[test]
    fn a_ratio_falls_when_so_much_of_the_fault_has_left_the_window() {
        // At 100 % 5 % of the window may remain: (1 − 0.05)·285 s = 270.75 s, to 285 s + 0.05·15 s.
        let (first, last) = unscaled(1.0).fall();
        assert!((first - 270.75).abs() < 1e-9 && (last - 285.75).abs() < 1e-9, "{first} {last}");
    }

    #[test]
    fn more_traffic_under_the_fault_crosses_sooner() {
        // Twice the requests, half of them failed: b seconds give 2·0.5·b failed of 300 + b: at 5 % b = 15/0.95 s.
        let doubled = SteppingMean { traffic: 2.0, ..unscaled(0.5) };
        let (_, last) = doubled.rise().unwrap();
        assert!((last - 15.0 / 0.95).abs() < 1e-9, "{last}");
        // Nothing was there before: the first failed request is above it.
        let from_nothing = SteppingMean { traffic: f64::INFINITY, ..unscaled(0.5) };
        assert!(from_nothing.share().abs() < 1e-9);
    }

    #[test]
    fn a_busy_host_crosses_by_its_share_before_and_during() {
        // From 40 % to 100 %, 80 % asked, 5 s: 5·(0.8 − 0.4)/(1 − 0.4) = 3.33 s, and back after 1.67 s.
        let busy = SteppingMean {
            window: 5.0,
            threshold: 0.8,
            before: 0.4,
            during: 1.0,
            unreached: 0.0,
            ..unscaled(1.0)
        };
        assert!((busy.rise().unwrap().1 - 10.0 / 3.0).abs() < 1e-9);
        assert!((busy.fall().1 - 5.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn single_events_unsteady_traffic_and_a_new_series_are_terms_of_their_own() {
        let mean = SteppingMean { event: 0.5, unsteady: 2.0, born: 15.0, ..unscaled(1.0) };
        let (first, last) = mean.rise().unwrap();
        assert!((first - (14.25 - 2.5)).abs() < 1e-9 && (last - (15.0 + 2.5 + 15.0)).abs() < 1e-9);
        assert!(Crossing::Ratio(mean).explain(true).contains("no such series"));
    }

    #[test]
    fn a_gauge_on_the_wrong_side_never_becomes_true() {
        let never = Crossing::Never { value: 1.0, threshold: 2.0 };
        assert_eq!(never.rise(), None);
        assert!(never.why_never().contains("to 1, the threshold is 2"));
    }
}
