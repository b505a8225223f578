//! The harness's own look at the host's processors, from `/proc/stat`.

use crate::evidence::HostSample;
use jiff::Timestamp;

/// Reads the processors' counters again and again; each look gives the share since the look before.
#[derive(Debug, Default)]
pub(super) struct HostWatch {
    before: Option<(u64, u64)>,
    processors: Option<u32>,
}

impl HostWatch {
    /// The busy share since the last look; none at the first, and where the system has no `/proc/stat`.
    pub(super) fn look(&mut self) -> Option<HostSample> {
        let text = std::fs::read_to_string("/proc/stat").ok()?;
        self.processors = processors(&text);
        let now = parse(&text)?;
        let before = self.before.replace(now)?;
        let all = now.0.checked_sub(before.0).filter(|all| *all > 0)?;
        let idle = now.1.saturating_sub(before.1);
        Some(HostSample { at: Timestamp::now(), busy: 1.0 - idle as f64 / all as f64 })
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

/// All and idle ticks of all processors; waiting for a disk is idle, guests are already in user time.
fn parse(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().take(8).map_while(|word| word.parse().ok()).collect();
    if ticks.len() < 5 {
        return None;
    }
    Some((ticks.iter().sum(), ticks[3] + ticks[4]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_and_waiting_for_disks_are_not_busy() {
        assert_eq!(parse("cpu  10 0 10 70 10 0 0 0 5 0\ncpu0 1 2\n"), Some((100, 80)));
        assert_eq!(parse("nothing"), None);
    }

    #[test]
    fn processors_are_counted_by_their_lines() {
        assert_eq!(processors("cpu  10 0 10 70\ncpu0 1 2\ncpu1 1 2\nintr 5\n"), Some(2));
        assert_eq!(processors("nothing"), None);
    }
}
