//! The harness's own look at the processes of the stack, from `/proc/<pid>`.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use crate::evidence::PartSample;

/// From one look to the next, at least.
const EVERY: SignedDuration = SignedDuration::from_secs(1);

/// Milliseconds in a tick of the times in `/proc/<pid>/stat`: Linux shows them in hundredths of a second everywhere.
const MS_PER_TICK: u64 = 10;

/// Looks at processes, at most once a second.
#[derive(Debug, Default)]
pub(super) struct ProcessWatch {
    looked: Option<Timestamp>,
}

impl ProcessWatch {
    /// One sample of each process that is there; empty when the last look was less than a second ago. A process that is
    /// gone, or that ended and was not waited for yet, has none.
    pub(super) fn look(&mut self, pids: &BTreeMap<String, u32>) -> Vec<PartSample> {
        let at = Timestamp::now();
        if self.looked.is_some_and(|before| at.duration_since(before) < EVERY) {
            return Vec::new();
        }
        self.looked = Some(at);
        pids.iter().filter_map(|(part, pid)| sample(Path::new("/proc"), at, part, *pid)).collect()
    }
}

fn sample(proc: &Path, at: Timestamp, part: &str, pid: u32) -> Option<PartSample> {
    let folder = proc.join(pid.to_string());
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).ok();
    let cpu_ms = cpu_ms(&read("stat")?)?;
    let resident_bytes = resident_bytes(&read("status")?)?;
    // Another user's process does not show them.
    let open_fds = std::fs::read_dir(folder.join("fd")).map_or(0, |entries| entries.count() as u64);
    Some(PartSample { at, part: part.to_owned(), pid, resident_bytes, cpu_ms, open_fds })
}

/// User and system time of a process that has not ended. The second field is the name in parentheses, and may hold any
/// character.
fn cpu_ms(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let state = *fields.first()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some((ticks(11)? + ticks(12)?) * MS_PER_TICK)
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_process_is_seen_once_a_second_and_one_that_is_not_there_never() {
        let pids = BTreeMap::from([("own".to_owned(), std::process::id()), ("gone".to_owned(), u32::MAX)]);
        let mut watch = ProcessWatch::default();
        let seen = watch.look(&pids);
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].part.as_str(), seen[0].pid), ("own", std::process::id()));
        assert!(seen[0].resident_bytes > 1 << 20 && seen[0].open_fds >= 3, "{seen:?}");
        watch.looked = Some(Timestamp::now());
        assert!(watch.look(&pids).is_empty());
    }

    #[test]
    fn a_process_that_ended_and_was_not_waited_for_is_gone() {
        let stat = |state: &str| format!("7 (a) b) {state} 1 7 7 0 -1 4194304 1 0 0 0 12 3 0 0 20 0");
        assert_eq!(cpu_ms(&stat("S")), Some(150));
        assert_eq!(cpu_ms(&stat("Z")), None);
        assert_eq!(cpu_ms("nonsense"), None);
    }
}
