//! Rule files that belong together, read once: what is wrong with them, and how far time can be compressed for them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::rule_lines::rule_lines;
use super::{CompressError, HIGHEST_SPEED, SHORTEST_INTERVAL};
use crate::duration::{from_value, milliseconds};
use crate::firedrill_yaml::FiredrillConfig;
use crate::folder::ConfigFolder;
use crate::prometheus::PrometheusConfig;
use crate::promql::{RecordingRules, parse};
use crate::rules::{LoadedRules, RuleFile};
use crate::yaml::{self, ConfigError};

/// Rule files that are not valid: all problems of all of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(problems))]
pub struct InvalidRules {
    /// The problems in the order of the files, at least one.
    pub problems: Vec<ConfigError>,
}

fn lines(problems: &[ConfigError]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Valid rule files, and what decides about them in compressed time.
#[derive(Debug, Clone)]
pub struct RuleSet {
    pub(super) texts: BTreeMap<String, String>,
    pub(super) prometheus: PrometheusConfig,
    pub(super) declared: FiredrillConfig,
    pub(super) loaded: LoadedRules,
    pub(super) recording: RecordingRules,
    /// The line of each rule, in the order of `loaded`.
    pub(super) lines: Vec<usize>,
}

impl RuleSet {
    /// Reads `texts`, path to text. The intervals of `prometheus` and the drivers of `declared` hold for them;
    /// recording rules of one file are followed into the others.
    pub fn read(
        texts: BTreeMap<String, String>,
        prometheus: PrometheusConfig,
        declared: FiredrillConfig,
    ) -> Result<Self, InvalidRules> {
        let mut problems = Vec::new();
        let mut loaded = LoadedRules::default();
        let mut lines = Vec::new();
        for (path, text) in &texts {
            match read_file(path, text) {
                Ok((file, of_file)) => {
                    loaded.files.push((path.clone(), file));
                    lines.extend(of_file);
                }
                Err(found) => problems.extend(found),
            }
        }
        if !problems.is_empty() {
            return Err(InvalidRules { problems });
        }
        let recording =
            RecordingRules::of(&loaded).map_err(|error| InvalidRules { problems: vec![error] })?;
        Ok(Self { texts, prometheus, declared, loaded, recording, lines })
    }

    /// The rule files that `prometheus.yml` of `folder` names.
    pub fn of(folder: &ConfigFolder) -> Result<Self, CompressError> {
        let mut texts = BTreeMap::new();
        for path in folder.rule_paths()? {
            texts.insert(path.clone(), folder.text(&path)?.to_owned());
        }
        Ok(Self::read(texts, folder.prometheus()?, folder.firedrill()?)?)
    }

    /// How many rules there are.
    pub fn count(&self) -> usize {
        self.lines.len()
    }

    /// The largest factor that keeps every scrape and evaluation interval at 250 ms or more; at least 1.
    pub fn largest_speed(&self) -> u32 {
        self.narrowest().1
    }

    /// The largest faithful factor up to 60: intervals stay at 250 ms or more, and no rule is lost that a smaller
    /// factor above 1 would keep. 1 when the intervals allow no other.
    ///
    /// A rule that no factor keeps has no say. One that only larger factors keep, because it looks back further than a
    /// drill lasts, has none either: it is lost at every smaller factor, too.
    pub fn faithful_speed(&self) -> u32 {
        let fastest = self.largest_speed().min(HIGHEST_SPEED);
        if fastest <= 1 {
            return fastest;
        }
        let a_smaller_one_may_keep_more = self
            .results(fastest)
            .iter()
            .filter_map(|result| result.as_ref().err()?.largest_factor)
            .any(|factor| factor > 1);
        if !a_smaller_one_may_keep_more {
            return fastest;
        }
        let mut kept_so_far = BTreeSet::new();
        let mut faithful = 1;
        for speed in 2..=fastest {
            let results = self.results(speed);
            let kept: BTreeSet<usize> = results
                .iter()
                .enumerate()
                .filter(|(_, result)| result.is_ok())
                .map(|(index, _)| index)
                .collect();
            if kept_so_far.is_subset(&kept) {
                faithful = speed;
            }
            kept_so_far.extend(kept);
        }
        faithful
    }

    /// The interval that allows the smallest factor, by name, and that factor.
    pub(super) fn narrowest(&self) -> (String, u32) {
        let prometheus = &self.prometheus;
        let mut intervals = vec![
            ("the scrape interval".to_owned(), prometheus.scrape_interval),
            ("the evaluation interval".to_owned(), prometheus.evaluation_interval),
        ];
        for job in &prometheus.jobs {
            intervals.push((format!("the scrape interval of job {}", job.name), job.scrape_interval));
        }
        for group in self.loaded.files.iter().flat_map(|(_, file)| &file.groups) {
            intervals.extend(
                group.interval.map(|interval| (format!("the interval of group {}", group.name), interval)),
            );
        }
        let factor = |interval: Duration| {
            let times = milliseconds(interval) / milliseconds(SHORTEST_INTERVAL);
            u32::try_from(times).unwrap_or(u32::MAX).max(1)
        };
        intervals
            .into_iter()
            .map(|(name, interval)| (name, factor(interval)))
            .min_by_key(|(_, factor)| *factor)
            .expect("there are always two intervals")
    }
}

/// A file and the lines of its rules, or everything that is wrong with it.
fn read_file(path: &str, text: &str) -> Result<(RuleFile, Vec<usize>), Vec<ConfigError>> {
    let file = RuleFile::parse_all(path, text)?;
    let lines = rule_lines(&file, text);
    let mut problems = offsets_that_are_no_durations(path, text)?;
    let rules = file.groups.iter().flat_map(|group| &group.rules);
    problems.extend(rules.zip(&lines).filter_map(|(rule, line)| {
        let error = parse(rule.expr()).err()?;
        Some(ConfigError {
            file: path.to_owned(),
            line: *line,
            problem: format!("rule {}: {error}", rule.name()),
        })
    }));
    if problems.is_empty() { Ok((file, lines)) } else { Err(problems) }
}

/// `query_offset` is scaled, but nothing else here knows it.
fn offsets_that_are_no_durations(path: &str, text: &str) -> Result<Vec<ConfigError>, Vec<ConfigError>> {
    let mut tree = yaml::tree(path, text).map_err(|error| vec![error])?;
    Ok(yaml::items_mut(&mut tree, "groups")
        .filter_map(|group| {
            let offset = group.get("query_offset").filter(|offset| !offset.is_null())?;
            let error = from_value(offset).err()?;
            Some(ConfigError::at_text(path, text, "query_offset", format!("query_offset: {error}")))
        })
        .collect())
}
