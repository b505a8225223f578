//! Growth over the windows of a soak: does memory, do file descriptors, do series go on growing under steady load?
//!
//! The first window is warm-up; the base is the end of the second. Prometheus and Redis are followed and not judged:
//! the one keeps its head block for two hours, the other keeps what the load stored. So is the harness.

use std::collections::BTreeSet;

use firedrill_record::{DrillRecord, FirstLastMost, GrowthRecord, Reason, Verdict};

/// Parts that may grow.
const FOLLOWED_ONLY: [&str; 3] = ["prometheus", "redis", "firedrill"];
/// Windows that a judgement needs: warm-up, base, and one to compare.
const LEAST_WINDOWS: usize = 3;
/// And so many seconds between the base and the end: less growth than is allowed in a shorter time says nothing.
const LEAST_SECONDS: f64 = 300.0;

const RESIDENT_BYTES: &str = "resident bytes";
const OPEN_FDS: &str = "open file descriptors";
const SERIES: &str = "series";

/// Judges the growth of every part over `windows`, in the order they ran.
pub fn growth(windows: &[DrillRecord]) -> Vec<GrowthRecord> {
    let parts: BTreeSet<&str> =
        windows.iter().flat_map(|window| &window.parts).map(|one| one.part.as_str()).collect();
    let services: BTreeSet<&str> = windows
        .iter()
        .flat_map(|window| &window.scraped)
        .map(|one| one.service.as_str())
        .filter(|service| !service.is_empty())
        .collect();
    let memory = parts.iter().map(|part| {
        let of = |window: &DrillRecord| in_part(window, part).map(|one| one.resident_bytes);
        judged(windows, part, RESIDENT_BYTES, of, |base| base / 5 + 16 * 1024 * 1024)
    });
    let fds = parts.iter().map(|part| {
        let of = |window: &DrillRecord| in_part(window, part).map(|one| one.open_fds);
        judged(windows, part, OPEN_FDS, of, |base| base / 5 + 16)
    });
    let series = services.iter().map(|service| {
        let of = |window: &DrillRecord| {
            let found = window.scraped.iter().find(|one| one.service == **service)?;
            Some(FirstLastMost { first: found.series, last: found.series, most: found.series })
        };
        judged(windows, service, SERIES, of, |base| base / 10 + 10)
    });
    let unscraped = services.is_empty().then(|| judged(windows, "services", SERIES, |_| None, |base| base));
    memory.chain(fds).chain(series).chain(unscraped).collect()
}

fn in_part<'a>(window: &'a DrillRecord, part: &str) -> Option<&'a firedrill_record::PartUse> {
    window.parts.iter().find(|one| one.part == part)
}

fn judged(
    windows: &[DrillRecord],
    part: &str,
    quantity: &str,
    of: impl Fn(&DrillRecord) -> Option<FirstLastMost>,
    allowed: fn(u64) -> u64,
) -> GrowthRecord {
    let values: Vec<Option<FirstLastMost>> = windows.iter().map(of).collect();
    let last = values.last().copied().flatten();
    let base = values.get(1).copied().flatten().or(last);
    let most = values.iter().flatten().map(|one| one.most).max().unwrap_or_default();
    let (base, end) = (base.map_or(0, |one| one.last), last.map_or(0, |one| one.last));
    let hours = windows.iter().skip(2).map(|window| window.seconds).sum::<f64>() / 3600.0;
    let grown = end as f64 - base as f64;
    let restarted = windows
        .iter()
        .filter_map(|window| in_part(window, part))
        .flat_map(|one| &one.pids)
        .collect::<BTreeSet<_>>()
        .len()
        > 1;
    let mut record = GrowthRecord {
        part: part.to_owned(),
        quantity: quantity.to_owned(),
        base,
        last: end,
        most,
        per_hour: if hours > 0.0 { grown / hours } else { 0.0 },
        allowed: None,
        verdict: None,
        reason: None,
        sentence: format!("went from {base} to {end}, {most} at most"),
    };
    if FOLLOWED_ONLY.contains(&part) {
        record.sentence = format!("{}; followed, not judged", record.sentence);
        return record;
    }
    let allowed = allowed(base);
    record.allowed = Some(allowed);
    let missing = values.iter().skip(1).any(Option::is_none);
    let cannot_tell = if windows.len() < LEAST_WINDOWS {
        Some(format!("{} windows, a judgement needs {LEAST_WINDOWS}", windows.len()))
    } else if hours * 3600.0 < LEAST_SECONDS {
        Some(format!("{:.0} s after the base, a judgement needs {LEAST_SECONDS:.0}", hours * 3600.0))
    } else if missing {
        Some("it was not looked at in every window".to_owned())
    } else if restarted {
        Some("it was another process in the end than in the beginning".to_owned())
    } else {
        None
    };
    let (verdict, reason) = match cannot_tell {
        Some(why) => {
            record.sentence = format!("{}; {why}", record.sentence);
            (Reason::EvidenceMissing.verdict(), Some(Reason::EvidenceMissing))
        }
        None if grown > allowed as f64 => {
            record.sentence = format!("{}: {grown:.0} more, {allowed} are allowed", record.sentence);
            (Reason::ResourcesGrew.verdict(), Some(Reason::ResourcesGrew))
        }
        None => (Verdict::Held, None),
    };
    record.verdict = Some(verdict);
    record.reason = reason;
    record
}

#[cfg(test)]
mod tests {
    use firedrill_record::{PartUse, ScrapedTarget};

    use super::*;
    use crate::checks::fixtures;

    const MIB: u64 = 1024 * 1024;

    fn quantity(value: u64) -> FirstLastMost {
        FirstLastMost { first: value, last: value, most: value }
    }

    /// A window of ten minutes in which `part` ended with so much memory.
    fn window(part: &str, resident_bytes: u64, pid: u32) -> DrillRecord {
        let mut record = crate::judge(&fixtures::plan(), &fixtures::alert_evidence());
        record.seconds = 600.0;
        record.parts = vec![PartUse {
            part: part.to_owned(),
            pids: vec![pid],
            seconds: 600.0,
            cpu_seconds: 1.0,
            resident_bytes: quantity(resident_bytes),
            open_fds: quantity(20),
        }];
        record.scraped = vec![ScrapedTarget {
            job: "services".to_owned(),
            service: part.to_owned(),
            instance: String::new(),
            series: 300,
            interval_seconds: 15.0,
        }];
        record
    }

    fn of<'a>(records: &'a [GrowthRecord], quantity: &str) -> &'a GrowthRecord {
        records.iter().find(|one| one.quantity == quantity).expect("it was followed")
    }

    #[test]
    fn memory_that_stays_after_the_warm_up_holds() {
        let windows: Vec<_> =
            [40, 90, 92, 91, 95].map(|mib| window("user", mib * MIB, 7)).into_iter().collect();
        let records = growth(&windows);
        assert_eq!(records.len(), 3);
        assert!(records.iter().all(|one| one.verdict == Some(Verdict::Held)), "{records:#?}");
        assert!((of(&records, RESIDENT_BYTES).per_hour - 10.0 * MIB as f64).abs() < 1.0);
    }

    #[test]
    fn memory_that_goes_on_growing_violates() {
        let windows: Vec<_> = [40, 50, 60, 70, 80].map(|mib| window("user", mib * MIB, 7)).into();
        assert_eq!(of(&growth(&windows), RESIDENT_BYTES).reason, Some(Reason::ResourcesGrew));
    }

    #[test]
    fn series_that_multiply_violate() {
        let mut windows: Vec<_> = [40, 40, 40].map(|mib| window("user", mib * MIB, 7)).into();
        windows[2].scraped[0].series = 400;
        assert_eq!(of(&growth(&windows), SERIES).reason, Some(Reason::ResourcesGrew));
    }

    #[test]
    fn two_windows_a_gap_or_a_restart_cannot_tell() {
        let two: Vec<_> = [40, 400].map(|mib| window("user", mib * MIB, 7)).into();
        assert_eq!(of(&growth(&two), RESIDENT_BYTES).verdict, Some(Verdict::Inconclusive));
        let mut gap: Vec<_> = [40, 40, 40, 40].map(|mib| window("user", mib * MIB, 7)).into();
        gap[2].parts.clear();
        assert_eq!(of(&growth(&gap), RESIDENT_BYTES).verdict, Some(Verdict::Inconclusive));
        let restarted: Vec<_> =
            [(40, 7), (40, 7), (10, 8)].map(|(mib, pid)| window("user", mib * MIB, pid)).into();
        assert_eq!(of(&growth(&restarted), RESIDENT_BYTES).verdict, Some(Verdict::Inconclusive));
    }

    #[test]
    fn a_few_seconds_and_scrapes_that_were_never_read_cannot_tell() {
        let mut short: Vec<_> = [40, 40, 40].map(|mib| window("user", mib * MIB, 7)).into();
        for window in &mut short {
            window.seconds = 5.0;
        }
        assert_eq!(of(&growth(&short), RESIDENT_BYTES).verdict, Some(Verdict::Inconclusive));
        let mut unread: Vec<_> = [40, 40, 40].map(|mib| window("user", mib * MIB, 7)).into();
        for window in &mut unread {
            window.scraped.clear();
        }
        assert_eq!(of(&growth(&unread), SERIES).verdict, Some(Verdict::Inconclusive));
    }

    #[test]
    fn prometheus_redis_and_the_harness_are_followed_and_not_judged() {
        for part in FOLLOWED_ONLY {
            let windows: Vec<_> = [40, 50, 600].map(|mib| window(part, mib * MIB, 7)).into();
            assert_eq!(of(&growth(&windows), RESIDENT_BYTES).verdict, None);
        }
    }
}
