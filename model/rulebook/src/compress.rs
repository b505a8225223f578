//! A configuration for compressed time: one factor divides every duration that alerting depends on.
//!
//! What it does to expressions is `promql::scale`'s. Knows nothing of addresses: that is `wire`'s.

mod monitors;
mod rule_files;

use std::time::Duration;

use crate::change::Change;
use crate::duration::{divide, milliseconds};
use crate::folder::ConfigFolder;
use crate::yaml::ConfigError;

/// No interval between scrapes or evaluations becomes shorter: faster ones are no longer faithful.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(250);

/// A compressed configuration and everything that was done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compressed {
    /// The configuration to run.
    pub folder: ConfigFolder,
    /// Every change, and everything that was assumed.
    pub changes: Vec<Change>,
    /// Rules that are not in it because they cannot be compressed.
    pub left_out: Vec<LeftOut>,
    /// Durations of Prometheus that are set on its command line.
    pub flags: ScaledFlags,
}

/// A rule that cannot be compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Path of its file.
    pub file: String,
    /// Name of its group.
    pub group: String,
    /// Name of the alert or of the recorded metric.
    pub rule: String,
    /// Why, a sentence without its end.
    pub reason: String,
    /// The largest factor at which it can be; `None` when at none but 1.
    pub largest_factor: Option<u32>,
}

/// Durations that Prometheus takes on its command line, from their defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScaledFlags {
    /// `--query.lookback-delta`
    pub lookback_delta: Duration,
    /// `--rules.alert.resend-delay`
    pub resend_delay: Duration,
    /// `--rules.alert.for-grace-period`
    pub for_grace_period: Duration,
    /// `--rules.alert.for-outage-tolerance`
    pub for_outage_tolerance: Duration,
}

impl ScaledFlags {
    /// Prometheus' defaults divided by `speed`; zero counts as one.
    pub fn at(speed: u32) -> Self {
        let scaled = |duration| divide(duration, speed.max(1)).value;
        Self {
            lookback_delta: scaled(Duration::from_mins(5)),
            resend_delay: scaled(Duration::from_mins(1)),
            for_grace_period: scaled(Duration::from_mins(10)),
            for_outage_tolerance: scaled(Duration::from_hours(1)),
        }
    }
}

/// A configuration that cannot be compressed as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompressError {
    /// A file cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An interval would become too short.
    #[error(
        "cannot compress time by {speed}: {interval} would be below 250ms; the largest factor is {largest}"
    )]
    TooFast {
        /// What was asked for.
        speed: u32,
        /// The interval that allows the least.
        interval: String,
        /// The largest factor that the configuration allows.
        largest: u32,
    },
    /// The factor is zero.
    #[error("cannot compress time by 0: 1 is real time")]
    Zero,
}

/// Divides the durations of `folder` by `speed`. At speed 1 nothing changes.
pub fn compress(folder: &ConfigFolder, speed: u32) -> Result<Compressed, CompressError> {
    let mut compressed = Compressed {
        folder: folder.clone(),
        changes: Vec::new(),
        left_out: Vec::new(),
        flags: ScaledFlags::at(speed),
    };
    match speed {
        0 => return Err(CompressError::Zero),
        1 => return Ok(compressed),
        _ => {}
    }
    let (interval, largest) = narrowest(folder)?;
    if speed > largest {
        return Err(CompressError::TooFast { speed, interval, largest });
    }
    rule_files::compress(folder, speed, &mut compressed)?;
    monitors::compress_prometheus(folder, speed, &mut compressed)?;
    monitors::compress_alertmanager(folder, speed, &mut compressed)?;
    Ok(compressed)
}

/// The largest factor that keeps every scrape and evaluation interval of `folder` at 250 ms or more; at least 1.
pub fn largest_speed(folder: &ConfigFolder) -> Result<u32, ConfigError> {
    Ok(narrowest(folder)?.1)
}

/// The interval that allows the smallest factor, by name, and that factor.
fn narrowest(folder: &ConfigFolder) -> Result<(String, u32), ConfigError> {
    let prometheus = folder.prometheus()?;
    let mut intervals = vec![
        ("the scrape interval".to_owned(), prometheus.scrape_interval),
        ("the evaluation interval".to_owned(), prometheus.evaluation_interval),
    ];
    for job in &prometheus.jobs {
        intervals.push((format!("the scrape interval of job {}", job.name), job.scrape_interval));
    }
    for (_, file) in &folder.rules()?.files {
        for group in &file.groups {
            intervals.extend(
                group.interval.map(|interval| (format!("the interval of group {}", group.name), interval)),
            );
        }
    }
    let factor = |interval: Duration| {
        let times = milliseconds(interval) / milliseconds(SHORTEST_INTERVAL);
        u32::try_from(times).unwrap_or(u32::MAX).max(1)
    };
    Ok(intervals
        .into_iter()
        .map(|(name, interval)| (name, factor(interval)))
        .min_by_key(|(_, factor)| *factor)
        .expect("there are always two intervals"))
}

#[cfg(test)]
mod tests;
