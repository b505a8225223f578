//! The scrape jobs whose targets may feed a rule.

use firedrill_record::Labels;
use firedrill_rulebook::{PrometheusConfig, ScrapeJob, SelectorInfo, Shape};

/// How what a rule reads is scraped.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scraping {
    /// The longest interval of these jobs, in seconds.
    pub(super) interval: f64,
    /// The longest timeout of these jobs, in seconds.
    pub(super) timeout: f64,
    /// Their names.
    pub(super) jobs: Vec<String>,
}

/// The jobs with a target that neither a selector of `shape` nor the alert's `labels` rule out; all jobs where nothing
/// is known of what the rule reads, or none is left.
pub(super) fn feeding(prometheus: &PrometheusConfig, shape: &Shape, labels: &Labels) -> Scraping {
    let selectors = selectors(shape);
    let may_feed = |job: &&ScrapeJob| {
        job.targets.iter().map(|target| target.series_labels(&job.name)).any(|target| {
            let fits = |selector: &&SelectorInfo| {
                let on_target = |name: &str| target.contains_key(name);
                selector.matchers.iter().all(|one| !on_target(one.name()) || one.matches(&target))
            };
            let wanted = |(name, value): (&String, &String)| target.get(name).is_none_or(|it| it == value);
            selectors.iter().all(fits) && labels.iter().all(wanted)
        })
    };
    let mut jobs: Vec<&ScrapeJob> = prometheus.jobs.iter().filter(may_feed).collect();
    if selectors.is_empty() || jobs.is_empty() {
        jobs = prometheus.jobs.iter().collect();
    }
    let longest = |of: fn(&ScrapeJob) -> std::time::Duration, default: std::time::Duration| {
        jobs.iter().map(|job| of(job)).max().unwrap_or(default).as_secs_f64()
    };
    Scraping {
        interval: longest(|job| job.scrape_interval, prometheus.scrape_interval),
        timeout: longest(|job| job.scrape_timeout.min(job.scrape_interval), prometheus.scrape_timeout),
        jobs: jobs.iter().map(|job| job.name.clone()).collect(),
    }
}

/// The selectors of raw series that a condition of this shape reads; none where they are not known.
fn selectors(shape: &Shape) -> Vec<&SelectorInfo> {
    match shape {
        Shape::Ratio { bad, total, .. } => vec![bad, total],
        Shape::Gauge { selector, .. }
        | Shape::RateThreshold { selector, .. }
        | Shape::Quantile { selector, .. }
        | Shape::Absent { selector } => vec![selector],
        Shape::Constant { .. } | Shape::Other { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use firedrill_rulebook::{LoadedRules, RecordingRules, shape};

    use super::*;

    const PROMETHEUS: &str = "
global: {scrape_interval: 10s, scrape_timeout: 5s}
scrape_configs:
  - job_name: services
    scrape_interval: 2s
    scrape_timeout: 1s
    static_configs: [{targets: ['a:1'], labels: {service: user}}, {targets: ['b:1'], labels: {service: chat}}]
  - job_name: node
    static_configs: [{targets: ['c:1']}]
";

    fn jobs(expression: &str, labels: &[(&str, &str)]) -> Scraping {
        let none = RecordingRules::of(&LoadedRules { files: Vec::new() }).unwrap();
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let prometheus = PrometheusConfig::parse(PROMETHEUS).unwrap();
        feeding(&prometheus, &shape(expression, &none).unwrap(), &labels)
    }

    #[test]
    fn a_matcher_on_the_job_or_a_label_of_its_targets_tells_which_job_feeds_a_rule() {
        assert_eq!(jobs("up{job=\"services\"} == 0", &[]).jobs, ["services"]);
        assert_eq!(jobs("up{service!=\"\"} == 0", &[("service", "chat")]).jobs, ["services", "node"]);
        assert_eq!(jobs("up{instance=\"c:1\"} == 0", &[]).jobs, ["node"]);
        let services = jobs("up{job=~\"serv.*\"} == 0", &[]);
        assert!((services.interval - 2.0).abs() < 1e-9 && (services.timeout - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_known_may_come_from_the_slowest_job() {
        let all = jobs("max_over_time(up[5m]) > 1", &[]);
        assert!(
            (all.interval - 10.0).abs() < 1e-9 && (all.timeout - 5.0).abs() < 1e-9 && all.jobs.len() == 2
        );
        assert_eq!(jobs("up{job=\"elsewhere\"} == 0", &[]).jobs.len(), 2);
    }
}
