//! Who used the processors of the host, from the harness's own looks at its kernel.

use firedrill_drill::Fault;
use jiff::Timestamp;

use crate::evidence::{Evidence, HostSample, PartSample};

/// A host whose processors are busy for more than this share of a time is a busy host: what needs processors is late,
/// and rules about processors are near their limit.
pub(crate) const BUSY: f64 = 0.75;

/// Shares of the processor time of the whole host over some time, 0 to 1 each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Usage {
    /// Everything.
    pub(crate) all: f64,
    /// By the burner of a drill.
    pub(crate) burner: f64,
    /// By the stack and the harness.
    pub(crate) own: f64,
}

impl Usage {
    /// From `from` to `to`; none when the host was not looked at twice in that time.
    pub(crate) fn between(evidence: &Evidence, from: Timestamp, to: Timestamp) -> Option<Self> {
        let all = busy(&evidence.host, from, to)?;
        let processors = f64::from(evidence.processors?);
        let (mut burner, mut own) = (0.0, 0.0);
        let mut processes: Vec<(&str, u32)> =
            evidence.parts.iter().map(|one| (one.part.as_str(), one.pid)).collect();
        processes.sort_unstable();
        processes.dedup();
        for (part, pid) in processes {
            let used = process(&evidence.parts, part, pid, from, to).unwrap_or(0.0) / processors;
            *(if part == Fault::BURNER { &mut burner } else { &mut own }) += used;
        }
        Some(Self { all, burner, own })
    }

    /// What would be used without the burner, which yields to everything else.
    pub(crate) fn without_burner(&self) -> f64 {
        (self.all - self.burner).max(0.0)
    }

    /// What nobody of this run used.
    pub(crate) fn foreign(&self) -> f64 {
        (self.all - self.burner - self.own).max(0.0)
    }
}

/// The mean busy share of the intervals that lie between `from` and `to`, each by its length.
fn busy(samples: &[HostSample], from: Timestamp, to: Timestamp) -> Option<f64> {
    let intervals = samples.windows(2).filter(|pair| from <= pair[0].at && pair[1].at <= to);
    let (mut seconds, mut busy) = (0.0, 0.0);
    for pair in intervals {
        let length = pair[1].at.duration_since(pair[0].at).as_secs_f64();
        seconds += length;
        busy += length * pair[1].busy;
    }
    (seconds > 0.0).then(|| busy / seconds)
}

/// Processors that a process used on average between `from` and `to`: 1 for one that was busy all the time. None when
/// it was not seen twice.
fn process(parts: &[PartSample], part: &str, pid: u32, from: Timestamp, to: Timestamp) -> Option<f64> {
    let mut seen =
        parts.iter().filter(|one| one.part == part && one.pid == pid && (from..=to).contains(&one.at));
    let first = seen.next()?;
    let last = seen.next_back()?;
    let ms = last.at.duration_since(first.at).as_secs_f64() * 1000.0;
    (ms > 0.0).then(|| last.cpu_ms.saturating_sub(first.cpu_ms) as f64 / ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixtures::{self, at};

    fn part(second: i64, part: &str, cpu_ms: u64) -> PartSample {
        PartSample {
            at: at(second * 1000),
            part: part.into(),
            pid: 7,
            resident_bytes: 0,
            cpu_ms,
            open_fds: 0,
        }
    }

    #[test]
    fn what_the_host_used_is_told_apart_by_who_used_it() {
        let mut evidence = fixtures::quiet_evidence();
        evidence.processors = Some(2);
        evidence.host =
            (0..=10).map(|second| HostSample { at: at(second * 1000), busy: 0.9, waiting: 0.0 }).collect();
        // Of two processors the burner has one for itself, the stack a fifth of one.
        evidence.parts = vec![
            part(2, Fault::BURNER, 1_000),
            part(8, Fault::BURNER, 7_000),
            part(2, "user", 500),
            part(8, "user", 1_700),
        ];
        let usage = Usage::between(&evidence, at(1_000), at(9_000)).unwrap();
        assert!((usage.burner - 0.5).abs() < 1e-9 && (usage.own - 0.1).abs() < 1e-9, "{usage:?}");
        assert!((usage.without_burner() - 0.4).abs() < 1e-9 && (usage.foreign() - 0.3).abs() < 1e-9);
        assert_eq!(Usage::between(&evidence, at(20_000), at(30_000)), None, "nobody looked");
        evidence.processors = None;
        assert_eq!(Usage::between(&evidence, at(1_000), at(9_000)), None);
    }

    #[test]
    fn long_intervals_count_for_more_than_short_ones() {
        let samples = [(0, 0.0), (1_000, 1.0), (4_000, 0.2)].map(|(ms, busy)| HostSample {
            at: at(ms),
            busy,
            waiting: 0.0,
        });
        let mean = busy(&samples, at(0), at(4_000)).unwrap();
        assert!((mean - 0.4).abs() < 1e-9, "{mean}");
    }
}
