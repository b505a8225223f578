//! What a rehearsal reads from Prometheus' configuration, from a file or from a running server.
//!
//! Only static targets are known: what service discovery would find is not in the text.

use std::time::Duration;

use serde::Deserialize;

use crate::duration::deserialize_option;
use crate::folder::PROMETHEUS;
use crate::labels::Labels;
use crate::yaml::{self, ConfigError};

const DEFAULT_INTERVAL: Duration = Duration::from_mins(1);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Prometheus' configuration with every default and inheritance resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrometheusConfig {
    /// Interval between scrapes of jobs that set none.
    pub scrape_interval: Duration,
    /// Longest duration of a scrape of jobs that set none.
    pub scrape_timeout: Duration,
    /// Interval between evaluations of rule groups that set none.
    pub evaluation_interval: Duration,
    /// Labels added to everything that leaves this Prometheus, alerts too.
    pub external_labels: Labels,
    /// Globs of rule files, relative to the configuration.
    pub rule_files: Vec<String>,
    /// Addresses of statically configured Alertmanagers.
    pub alertmanagers: Vec<String>,
    /// Scrape jobs in the order of the file.
    pub jobs: Vec<ScrapeJob>,
}

/// One scrape job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrapeJob {
    /// The job's name, the value of the label `job`.
    pub name: String,
    /// Interval between scrapes.
    pub scrape_interval: Duration,
    /// Longest duration of a scrape.
    pub scrape_timeout: Duration,
    /// Path that is scraped.
    pub metrics_path: String,
    /// Statically configured targets.
    pub targets: Vec<StaticTarget>,
}

/// A target named in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticTarget {
    /// Host and port, as written.
    pub address: String,
    /// Labels of its group, as written: `job` and `instance` are among them only when set there.
    pub labels: Labels,
}

impl StaticTarget {
    /// The labels that every series of the target carries, `job` and `instance` included, relabelling aside.
    pub fn series_labels(&self, job: &str) -> Labels {
        let mut labels = self.labels.clone();
        labels.entry("job".to_owned()).or_insert_with(|| job.to_owned());
        labels.entry("instance".to_owned()).or_insert_with(|| self.address.clone());
        labels
    }
}

impl PrometheusConfig {
    /// Reads the text of `prometheus.yml` or of `/api/v1/status/config`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let raw: Raw = yaml::read::<Option<Raw>>(PROMETHEUS, text)?.unwrap_or_default();
        let global = raw.global.unwrap_or_default();
        let scrape_interval = global.scrape_interval.unwrap_or(DEFAULT_INTERVAL);
        let scrape_timeout = global.scrape_timeout.unwrap_or_else(|| DEFAULT_TIMEOUT.min(scrape_interval));
        let jobs = raw.scrape_configs.unwrap_or_default().into_iter();
        Ok(Self {
            scrape_interval,
            scrape_timeout,
            evaluation_interval: global.evaluation_interval.unwrap_or(DEFAULT_INTERVAL),
            external_labels: global.external_labels.unwrap_or_default(),
            rule_files: raw.rule_files.unwrap_or_default(),
            alertmanagers: raw
                .alerting
                .and_then(|alerting| alerting.alertmanagers)
                .unwrap_or_default()
                .into_iter()
                .flat_map(|group| group.static_configs.unwrap_or_default())
                .flat_map(|group| group.targets.unwrap_or_default())
                .collect(),
            jobs: jobs.map(|job| job.resolve(scrape_interval, scrape_timeout)).collect(),
        })
    }

    /// A configuration that says nothing but these intervals: what rules alone are scaled by.
    pub fn with_intervals(scrape_interval: Duration, evaluation_interval: Duration) -> Self {
        Self {
            scrape_interval,
            scrape_timeout: DEFAULT_TIMEOUT.min(scrape_interval),
            evaluation_interval,
            external_labels: Labels::new(),
            rule_files: Vec::new(),
            alertmanagers: Vec::new(),
            jobs: Vec::new(),
        }
    }

    /// The job of that name.
    pub fn job(&self, name: &str) -> Option<&ScrapeJob> {
        self.jobs.iter().find(|job| job.name == name)
    }
}

#[derive(Default, Deserialize)]
struct Raw {
    global: Option<RawGlobal>,
    rule_files: Option<Vec<String>>,
    alerting: Option<RawAlerting>,
    scrape_configs: Option<Vec<RawJob>>,
}

#[derive(Default, Deserialize)]
struct RawGlobal {
    #[serde(default, deserialize_with = "deserialize_option")]
    scrape_interval: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_option")]
    scrape_timeout: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_option")]
    evaluation_interval: Option<Duration>,
    #[serde(default, deserialize_with = "crate::rules::deserialize_labels")]
    external_labels: Option<Labels>,
}

#[derive(Deserialize)]
struct RawAlerting {
    alertmanagers: Option<Vec<RawDiscovery>>,
}

#[derive(Deserialize)]
struct RawDiscovery {
    static_configs: Option<Vec<RawStatic>>,
}

#[derive(Deserialize)]
struct RawStatic {
    targets: Option<Vec<String>>,
    #[serde(default, deserialize_with = "crate::rules::deserialize_labels")]
    labels: Option<Labels>,
}

#[derive(Deserialize)]
struct RawJob {
    job_name: String,
    #[serde(default, deserialize_with = "deserialize_option")]
    scrape_interval: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_option")]
    scrape_timeout: Option<Duration>,
    metrics_path: Option<String>,
    static_configs: Option<Vec<RawStatic>>,
}

impl RawJob {
    fn resolve(self, global_interval: Duration, global_timeout: Duration) -> ScrapeJob {
        let scrape_interval = self.scrape_interval.unwrap_or(global_interval);
        let targets = self.static_configs.unwrap_or_default().into_iter().flat_map(|group| {
            let labels = group.labels.unwrap_or_default();
            group
                .targets
                .unwrap_or_default()
                .into_iter()
                .map(move |address| StaticTarget { address, labels: labels.clone() })
        });
        ScrapeJob {
            name: self.job_name,
            scrape_interval,
            scrape_timeout: self.scrape_timeout.unwrap_or_else(|| global_timeout.min(scrape_interval)),
            metrics_path: self.metrics_path.unwrap_or_else(|| "/metrics".to_owned()),
            targets: targets.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::PrometheusConfig;

    #[test]
    fn defaults_are_those_of_prometheus() {
        let config = PrometheusConfig::parse("scrape_configs: [{job_name: a}]").unwrap();
        assert_eq!(config.scrape_interval, Duration::from_mins(1));
        assert_eq!(config.evaluation_interval, Duration::from_mins(1));
        assert_eq!(config.scrape_timeout, Duration::from_secs(10));
        assert_eq!(config.jobs[0].metrics_path, "/metrics");
    }

    #[test]
    fn a_job_inherits_and_its_timeout_never_exceeds_its_interval() {
        let text = "global: {scrape_interval: 15s, scrape_timeout: 10s}\n\
                    scrape_configs: [{job_name: a}, {job_name: b, scrape_interval: 5s}, {job_name: c, scrape_interval: 1m}]";
        let config = PrometheusConfig::parse(text).unwrap();
        let seconds: Vec<_> = config
            .jobs
            .iter()
            .map(|job| (job.scrape_interval.as_secs(), job.scrape_timeout.as_secs()))
            .collect();
        assert_eq!(seconds, [(15, 10), (5, 5), (60, 10)]);
    }

    #[test]
    fn a_target_has_job_and_instance_unless_it_sets_them() {
        let text = "scrape_configs: [{job_name: a, static_configs: [{targets: ['x:1', 'y:2'], labels: {n: 1}}, \
                    {targets: ['z:3'], labels: {instance: zed}}]}]";
        let config = PrometheusConfig::parse(text).unwrap();
        let targets = &config.jobs[0].targets;
        assert_eq!(targets[1].series_labels("a")["instance"], "y:2");
        assert_eq!(targets[1].series_labels("a")["n"], "1");
        assert_eq!(targets[2].series_labels("a")["instance"], "zed");
        assert_eq!(targets[2].series_labels("a")["job"], "a");
    }

    #[test]
    fn a_bad_duration_is_an_error_with_its_line() {
        let error = PrometheusConfig::parse("global:\n  scrape_interval: 15\n").unwrap_err();
        assert_eq!((error.file.as_str(), error.line), ("prometheus.yml", 2), "{error}");
    }
}
