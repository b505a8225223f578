//! The harness's own look at the host's processors, from `/proc/stat`.

use crate::evidence::HostSample;
use jiff::Timestamp;

/// Reads the processors' counters again and again; each look gives the shares since the look before.
#[derive(Debug, Default)]
pub(super) struct HostWatch {
    before: Option<Ticks>,
    processors: Option<u32>,
}

/// Ticks of all processors since the host began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    all: u64,
    idle: u64,
    /// Idle too, but a process waits for a disk.
    waiting: u64,
}

impl HostWatch {
    /// The shares since the last look; none at the first, and where the system has no `/proc/stat`.
    pub(super) fn look(&mut self) -> Option<HostSample> {
        let text = std::fs::read_to_string("/proc/stat").ok()?;
        self.processors = processors(&text);
        let now = parse(&text)?;
        let before = self.before.replace(now)?;
        let (busy, waiting) = shares(before, now)?;
        Some(HostSample { at: Timestamp::now(), busy, waiting })
    }

    /// How many processors the host had at the last look.
    pub(super) fn processors(&self) -> Option<u32> {
        self.processors
    }
}

/// Processors that have a line of their own: those that are on.
fn processors(text: &str) -> Option<u32> {
    let is_one =
        |line: &&str| line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(char::is_numeric));
    u32::try_from(text.lines().filter(is_one).count()).ok().filter(|count| *count > 0)
}

/// The ticks of all processors; those of guests are already in user time.
fn parse(text: &str) -> Option<Ticks> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().take(8).map_while(|word| word.parse().ok()).collect();
    let [_, _, _, idle, waiting, ..] = ticks.as_slice() else { return None };
    Some(Ticks { all: ticks.iter().sum(), idle: *idle, waiting: *waiting })
}

/// The shares that were used and that waited for a disk between two looks; none when no time passed. The kernel's count
/// of waiting may go back a little (`proc_stat(5)`).
fn shares(before: Ticks, now: Ticks) -> Option<(f64, f64)> {
    let all = now.all.checked_sub(before.all).filter(|all| *all > 0)?;
    let waiting = now.waiting.saturating_sub(before.waiting).min(all);
    let idle = now.idle.saturating_sub(before.idle).min(all - waiting);
    let share = |ticks: u64| ticks as f64 / all as f64;
    Some((share(all - idle - waiting), share(waiting)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_waiting_for_disks_and_busy_are_told_apart() {
        let before = parse("cpu  10 0 10 70 10 0 0 0 5 0\ncpu0 1 2\n").unwrap();
        assert_eq!(before, Ticks { all: 100, idle: 70, waiting: 10 });
        let now = parse("cpu  30 0 20 120 20 10 0 0 5 0\ncpu0 1 2\n").unwrap();
        let (busy, waiting) = shares(before, now).unwrap();
        assert!((busy - 0.4).abs() < 1e-9 && (waiting - 0.1).abs() < 1e-9, "{busy} {waiting}");
        assert_eq!(shares(now, now), None);
        assert_eq!(parse("nothing"), None);
    }

    #[test]
    fn a_count_of_waiting_that_goes_back_is_none() {
        let ticks = |all, idle, waiting| Ticks { all, idle, waiting };
        assert_eq!(shares(ticks(100, 70, 20), ticks(110, 75, 19)), Some((0.5, 0.0)));
    }

    #[test]
    fn processors_are_counted_by_their_lines() {
        assert_eq!(processors("cpu  10 0 10 70\ncpu0 1 2\ncpu1 1 2\nintr 5\n"), Some(2));
        assert_eq!(processors("nothing"), None);
    }
}
