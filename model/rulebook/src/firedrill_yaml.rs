//! `firedrill.yaml`: what a rehearsal must know about a configuration and cannot read from the monitors' files.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::folder::FIREDRILL;
use crate::yaml::{self, ConfigError};

/// What makes a metric move: decides what compressing time does to functions over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// Requests, whose rate stays real.
    Load,
    /// The drill's own timeline, which is compressed.
    Drill,
}

/// The harness's own part of a configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FiredrillConfig {
    /// Names of alerts that fire all the time on purpose.
    pub always_firing: BTreeSet<String>,
    /// Declared drivers, by metric name.
    pub drivers: BTreeMap<String, Driver>,
    /// Environment variables that every service gets in addition.
    pub service_environment: BTreeMap<String, String>,
}

impl FiredrillConfig {
    /// Reads the text of `firedrill.yaml`; unknown keys are errors.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let raw = yaml::read::<Option<Raw>>(FIREDRILL, text)?.unwrap_or_default();
        Ok(Self {
            always_firing: raw.always_firing,
            drivers: raw.drivers,
            service_environment: raw.services.environment,
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Raw {
    always_firing: BTreeSet<String>,
    drivers: BTreeMap<String, Driver>,
    services: RawServices,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawServices {
    environment: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::{Driver, FiredrillConfig};

    #[test]
    fn everything_in_it_is_read() {
        let text =
            "always_firing: [Watchdog]\ndrivers: {redis_up: drill}\nservices: {environment: {A: '1'}}\n";
        let config = FiredrillConfig::parse(text).unwrap();
        assert!(config.always_firing.contains("Watchdog"));
        assert_eq!(config.drivers["redis_up"], Driver::Drill);
        assert_eq!(config.service_environment["A"], "1");
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        let error = FiredrillConfig::parse("always_firing: []\ndriver: {}\n").unwrap_err();
        assert_eq!(error.line, 2, "{error}");
    }

    #[test]
    fn an_empty_file_says_nothing() {
        assert_eq!(FiredrillConfig::parse("").unwrap(), FiredrillConfig::default());
    }
}
