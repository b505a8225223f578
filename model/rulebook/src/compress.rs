//! A configuration for compressed time: one factor divides every duration that alerting depends on.
//!
//! What it does to expressions is `promql::scale`'s. Knows nothing of addresses: that is `wire`'s.

mod monitors;
mod outcome;
mod rule_files;
mod rule_lines;
mod rule_results;
mod rule_set;

use std::time::Duration;

use crate::change::Change;
use crate::duration::divide;
use crate::folder::ConfigFolder;
use crate::yaml::ConfigError;

pub use outcome::{RuleClass, RuleFate, RuleKind, RuleOutcome};
pub use rule_files::ScaledRules;
pub use rule_set::{InvalidRules, RuleSet};

/// The largest factor that is chosen when none is given: at more, a scrape interval of 15 s would be below 250 ms.
pub const HIGHEST_SPEED: u32 = 60;

/// No interval between scrapes or evaluations becomes shorter: faster ones are no longer faithful.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(250);

/// A compressed configuration and everything that was done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compressed {
    /// The configuration to run.
    pub folder: ConfigFolder,
    /// Every change, and everything that was assumed.
    pub changes: Vec<Change>,
    /// Every rule and what became of it; none at speed 1, where nothing has to be decided.
    pub rules: Vec<RuleOutcome>,
    /// Durations of Prometheus that are set on its command line.
    pub flags: ScaledFlags,
}

impl Compressed {
    /// Rules that are not in the configuration because they cannot be compressed.
    pub fn left_out(&self) -> Vec<&RuleOutcome> {
        self.rules.iter().filter(|rule| rule.class() == RuleClass::NotCompressible).collect()
    }
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
    /// Rule files are not valid.
    #[error(transparent)]
    Rules(#[from] InvalidRules),
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
        rules: Vec::new(),
        flags: ScaledFlags::at(speed),
    };
    match speed {
        0 => return Err(CompressError::Zero),
        1 => return Ok(compressed),
        _ => {}
    }
    let scaled = RuleSet::of(folder)?.scale(speed)?;
    compressed.folder.files.extend(scaled.files);
    compressed.rules = scaled.rules;
    compressed.changes = scaled.changes;
    monitors::compress_prometheus(folder, speed, &mut compressed)?;
    monitors::compress_alertmanager(folder, speed, &mut compressed)?;
    Ok(compressed)
}

/// The largest factor that keeps every scrape and evaluation interval of `folder` at 250 ms or more; at least 1.
pub fn largest_speed(folder: &ConfigFolder) -> Result<u32, CompressError> {
    Ok(RuleSet::of(folder)?.largest_speed())
}

/// The largest faithful factor up to 60 for `folder`: see [`RuleSet::faithful_speed`].
pub fn faithful_speed(folder: &ConfigFolder) -> Result<u32, CompressError> {
    Ok(RuleSet::of(folder)?.faithful_speed())
}

#[cfg(test)]
mod tests;
