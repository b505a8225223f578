//! Synthetic gauges: what the harness's own exporter says of them, for how long, and who has read it.
//!
//! A gauge is 0 but while it is set, and it is set for a time that the exporter keeps itself, to the scrape: no order
//! has to arrive for its end. Every scrape is noted with its time, as proof of what Prometheus was told.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use firedrill_drill::Fault;
use firedrill_record::ServiceName;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::evidence::GaugeScrape;

/// An order to set a gauge.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Setting {
    /// The value.
    value: f64,
    /// For how long, in milliseconds.
    for_ms: u64,
}

/// Until when a gauge is, or was, set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Until {
    until: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Set {
    value: f64,
    until: Timestamp,
}

/// The gauges of a drill.
#[derive(Debug, Default)]
pub(super) struct Planted {
    gauges: BTreeMap<String, Option<Set>>,
    scrapes: Vec<GaugeScrape>,
}

impl Planted {
    /// Those of the drill that now begins, all of them at 0; nothing has been scraped yet.
    pub(super) fn begin<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        self.gauges = names.into_iter().map(|name| (name.to_owned(), None)).collect();
        self.scrapes.clear();
    }

    /// Sets the gauge `name` at `now`; none when the order makes no sense.
    pub(super) fn set(&mut self, name: &str, setting: Setting, now: Timestamp) -> Option<Until> {
        // The rule of names in drills, so that nothing in one has to be escaped.
        name.parse::<ServiceName>().ok()?;
        let lasts = SignedDuration::try_from(Duration::from_millis(setting.for_ms)).ok()?;
        let until = now.checked_add(lasts).ok()?;
        let value = Some(setting.value).filter(|value| value.is_finite())?;
        self.gauges.insert(name.to_owned(), Some(Set { value, until }));
        Some(Until { until })
    }

    /// Ends the setting of the gauge `name`, if its time is not over yet. Says when it ended; none when it was never
    /// set.
    pub(super) fn end(&mut self, name: &str, now: Timestamp) -> Option<Until> {
        let set = self.gauges.get_mut(name)?.as_mut()?;
        set.until = set.until.min(now);
        Some(Until { until: set.until })
    }

    /// The exposition at `now`; noted when Prometheus asked for it.
    pub(super) fn exposed(&mut self, now: Timestamp, by_prometheus: bool) -> String {
        let metric = Fault::GAUGE_METRIC;
        let mut text = String::new();
        if !self.gauges.is_empty() {
            let help = "Synthetic: a value that a drill asked for, with nothing real behind it.";
            text = format!("# HELP {metric} {help}\n# TYPE {metric} gauge\n");
        }
        for (gauge, set) in &self.gauges {
            let value = set.filter(|set| now < set.until).map_or(0.0, |set| set.value);
            let _ = writeln!(text, "{metric}{{gauge=\"{gauge}\"}} {value}");
            if by_prometheus {
                self.scrapes.push(GaugeScrape { at: now, gauge: gauge.clone(), value });
            }
        }
        text
    }

    /// Every scrape of the drill so far, oldest first.
    pub(super) fn scrapes(&self) -> Vec<GaugeScrape> {
        self.scrapes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixtures::at;

    fn planted() -> Planted {
        let mut planted = Planted::default();
        planted.begin(["default"]);
        planted
    }

    fn setting(value: f64, for_ms: u64) -> Setting {
        Setting { value, for_ms }
    }

    #[test]
    fn a_gauge_has_its_value_for_exactly_its_time_and_each_scrape_is_noted() {
        let mut planted = planted();
        planted.exposed(at(900), true);
        assert_eq!(planted.set("default", setting(1.5, 500), at(1_000)), Some(Until { until: at(1_500) }));
        assert!(planted.exposed(at(1_499), true).ends_with("\nfiredrill_planted{gauge=\"default\"} 1.5\n"));
        assert!(planted.exposed(at(1_500), true).ends_with("\nfiredrill_planted{gauge=\"default\"} 0\n"));
        let noted: Vec<(Timestamp, f64)> = planted.scrapes().iter().map(|one| (one.at, one.value)).collect();
        assert_eq!(noted, [(at(900), 0.0), (at(1_499), 1.5), (at(1_500), 0.0)]);
    }

    #[test]
    fn ending_cuts_the_time_short_and_never_makes_it_longer() {
        let mut planted = planted();
        assert_eq!(planted.end("default", at(0)), None, "never set");
        planted.set("default", setting(1.0, 500), at(1_000)).unwrap();
        assert_eq!(planted.end("default", at(1_200)), Some(Until { until: at(1_200) }));
        assert_eq!(planted.end("default", at(9_000)), Some(Until { until: at(1_200) }));
        assert!(planted.exposed(at(1_300), false).ends_with("} 0\n"));
        assert_eq!(planted.scrapes(), [], "nobody but Prometheus looked");
    }

    #[test]
    fn an_order_that_makes_no_sense_sets_nothing() {
        let mut planted = planted();
        assert_eq!(planted.set("a \"name\"", setting(1.0, 500), at(0)), None);
        assert_eq!(planted.set("default", setting(f64::NAN, 500), at(0)), None);
        assert_eq!(planted.set("default", setting(1.0, u64::MAX), at(0)), None);
        assert!(planted.exposed(at(1), false).ends_with("} 0\n"));
    }

    #[test]
    fn a_drill_without_gauges_exposes_none() {
        let mut planted = planted();
        planted.exposed(at(1), true);
        planted.begin([]);
        assert_eq!((planted.exposed(at(2), true), planted.scrapes()), (String::new(), Vec::new()));
    }
}
