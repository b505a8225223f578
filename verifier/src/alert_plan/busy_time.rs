//! How long the processors were busy, as a function of time, and when its mean over a moving window crosses a threshold.

use jiff::Timestamp;

use super::processors::BusyCondition;
use crate::evidence::HostSample;

/// Seconds that the processors were busy up to an instant, known at each look and taken as even between two.
#[derive(Debug)]
pub(super) struct BusyTime {
    /// Seconds since an origin, and busy seconds until then; in order of time.
    points: Vec<(f64, f64)>,
}

impl BusyTime {
    /// As `condition` means busy, by what `host` shows from `before` seconds before `origin` to `after` seconds after it.
    pub(super) fn around(
        host: &[HostSample],
        condition: BusyCondition,
        origin: Timestamp,
        before: f64,
        after: f64,
    ) -> Self {
        let since = |sample: &HostSample| sample.at.duration_since(origin).as_secs_f64();
        // One look more on both sides, for what lies between looks.
        let first = host.partition_point(|sample| since(sample) <= -before).saturating_sub(1);
        let last = host.partition_point(|sample| since(sample) < after).saturating_add(1).min(host.len());
        let mut points: Vec<(f64, f64)> = Vec::new();
        for sample in host.get(first..last).unwrap_or_default() {
            let at = since(sample);
            let busy = points.last().map_or(0.0, |(then, busy)| busy + (at - then) * condition.share(sample));
            points.push((at, busy));
        }
        Self { points }
    }

    /// Busy seconds until `at`; none outside of the time that was looked at.
    fn until(&self, at: f64) -> Option<f64> {
        let next = self.points.partition_point(|(then, _)| *then < at);
        let (after, busy_after) = *self.points.get(next)?;
        if after <= at {
            return Some(busy_after);
        }
        let (before, busy_before) = *self.points.get(next.checked_sub(1)?)?;
        Some(busy_before + (busy_after - busy_before) * (at - before) / (after - before))
    }

    /// The mean share between two times; none where not all of it was looked at.
    pub(super) fn mean(&self, from: f64, until: f64) -> Option<f64> {
        (until > from).then_some((self.until(until)? - self.until(from)?) / (until - from))
    }

    /// Seconds from the origin until the mean over a window that ends then comes from one side of the threshold to the other:
    /// the first crossing `upwards`, or downwards, within one window and at most `limit`. None when there is none, when it
    /// lay there already, or when not all of it was looked at.
    pub(super) fn crossing(&self, condition: BusyCondition, limit: f64, upwards: bool) -> Option<f64> {
        let BusyCondition { window, threshold, .. } = condition;
        let sign = if upwards { 1.0 } else { -1.0 };
        let beyond = |end: f64| Some(sign * (self.mean(end - window, end)? - threshold));
        let limit = limit.min(window);
        // The mean is linear wherever neither end of the window meets a look.
        let mut ends: Vec<f64> = self.points.iter().flat_map(|(at, _)| [*at, at + window]).collect();
        ends.push(limit);
        ends.retain(|end| *end > 0.0 && *end <= limit);
        ends.sort_by(f64::total_cmp);
        let mut known = (0.0, beyond(0.0).filter(|beyond| *beyond < 0.0)?);
        for end in ends {
            let now = beyond(end)?;
            if now >= 0.0 {
                let (before, then) = known;
                return Some(before + (end - before) * then / (then - now));
            }
            known = (end, now);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixtures::at;

    const ABOVE_80: BusyCondition = BusyCondition { window: 5.0, threshold: 0.8, waiting_is_busy: true };

    /// Looks every half second from 0 s to 20 s, around 10 s.
    fn time(busy: impl Fn(i64) -> f64) -> BusyTime {
        let sample = |half: i64| HostSample { at: at(half * 500), busy: busy(half * 500), waiting: 0.0 };
        let host: Vec<_> = (0..=40).map(sample).collect();
        BusyTime::around(&host, ABOVE_80, at(10_000), 5.0, 10.0)
    }

    #[test]
    fn the_mean_counts_parts_of_intervals() {
        let step = time(|ms| if ms > 10_000 { 1.0 } else { 0.4 });
        let near =
            |mean: Option<f64>, expected: f64| assert!((mean.unwrap() - expected).abs() < 1e-9, "{mean:?}");
        near(step.mean(-1.25, 0.0), 0.4);
        near(step.mean(-0.3, 0.1), 0.55);
        assert_eq!(step.mean(-6.0, 0.0), None, "nobody looked so early");
        assert_eq!(step.mean(1.0, 1.0), None);
    }

    #[test]
    fn a_step_crosses_after_its_share_of_the_window() {
        let step = time(|ms| if (10_001..=16_000).contains(&ms) { 1.0 } else { 0.4 });
        // 5·(0.8 − 0.4)/(1 − 0.4).
        assert!((step.crossing(ABOVE_80, 10.0, true).unwrap() - 10.0 / 3.0).abs() < 1e-9);
        assert_eq!(step.crossing(ABOVE_80, 3.3, true), None, "not within its limit");
        assert_eq!(step.crossing(ABOVE_80, 10.0, false), None, "it was below already");
        assert_eq!(time(|_| 0.9).crossing(ABOVE_80, 10.0, true), None, "it was above already");
    }

    #[test]
    fn what_leaves_the_window_counts_when_it_leaves() {
        let time = time(|ms| if ms > 10_000 || (5_001..=7_000).contains(&ms) { 1.0 } else { 0.0 });
        // The two busy seconds at the begin of the window have left it when it crosses: 4 of 5 s are needed since then.
        assert!((time.crossing(ABOVE_80, 10.0, true).unwrap() - 4.0).abs() < 1e-9);
    }
}
