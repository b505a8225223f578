//! Which rules can be compressed by a factor, and how faithfully: what speaks against each, and what follows from one
//! for those that read what it records.
//!
//! It changes no file: that is `rule_files`'s.

use std::collections::BTreeMap;
use std::time::Duration;

use super::rule_set::RuleSet;
use crate::duration::{divide, format_duration, milliseconds};
use crate::labels::Labels;
use crate::prometheus::ScrapeJob;
use crate::promql::parse;
use crate::promql::scale::{NotCompressible, Sampling, ScaledExpression, Scaling};
use crate::promql::selectors::{SelectorInfo, history_of, selectors_of};
use crate::rules::Rule;

/// A drill fills the longest window of its rules with steady load before it starts: more real time than this it does
/// not take.
const LONGEST_HISTORY: Duration = Duration::from_mins(15);

/// What a rule comes to at a factor.
pub(super) type Scaled = Result<ScaledExpression, NotCompressible>;

impl RuleSet {
    /// Every rule at a factor, in the order of the files. What reads a recorded metric that is lost is lost with it; that it
    /// is no more faithful than the metric is seen to by the scaling of expressions.
    pub(super) fn results(&self, speed: u32) -> Vec<Scaled> {
        let rules: Vec<&Rule> = self.loaded.iter().map(|(_, _, rule)| rule).collect();
        let reads: Vec<Vec<String>> = rules.iter().map(|rule| metrics_read(rule)).collect();
        let mut results: Vec<Scaled> = rules.iter().map(|rule| self.alone(rule, speed)).collect();
        loop {
            let lost = lost_metrics(&rules, &results);
            let mut changed = false;
            for (result, reads) in results.iter_mut().zip(&reads) {
                changed |= lose_with(result, reads, &lost);
            }
            if !changed {
                break;
            }
        }
        results
    }

    /// A rule as if everything that it reads were there; all reasons against it at once.
    fn alone(&self, rule: &Rule, speed: u32) -> Scaled {
        let sampling = |read: &SelectorInfo| self.sampling(read);
        let scaling = Scaling {
            factor: speed,
            declared: &self.declared,
            rules: &self.recording,
            sampling: &sampling,
            evaluation_interval: self.prometheus.evaluation_interval,
        };
        let mut refused = vanishing(rule, speed);
        refused.extend(self.too_long_a_history(rule, speed));
        match scaling.expression(rule.expr()) {
            Ok(scaled) if refused.is_empty() => return Ok(scaled),
            Ok(_) => {}
            Err(problem) => refused.push(problem),
        }
        let first = refused.first().and_then(|refused| refused.largest_factor);
        let largest_factor = refused.iter().fold(first, |all, one| smaller(all, one.largest_factor));
        let reasons: Vec<String> = refused.into_iter().map(|refused| refused.reason).collect();
        Err(refusal(reasons.join("; "), largest_factor))
    }

    fn too_long_a_history(&self, rule: &Rule, speed: u32) -> Option<NotCompressible> {
        // What is no PromQL is refused by the scaling itself.
        let history = history_of(&parse(rule.expr()).ok()?, &self.recording);
        (divide(history, speed).value > LONGEST_HISTORY).then(|| {
            NotCompressible::at_any_factor(format!(
                "it looks back {}, which is beyond a drill",
                format_duration(history)
            ))
        })
    }

    /// How far apart the samples of a selector are: by the group that records it, else by the slowest job that may have it.
    fn sampling(&self, read: &SelectorInfo) -> Sampling {
        let recorded = read.metric.as_deref().and_then(|metric| {
            self.loaded
                .iter()
                .filter(|(_, _, rule)| matches!(rule, Rule::Recording(_)) && rule.name() == metric)
                .map(|(_, group, _)| group.interval.unwrap_or(self.prometheus.evaluation_interval))
                .max()
        });
        match recorded {
            Some(interval) => Sampling { interval, slowest_of_several: None },
            None => self.scraping(read),
        }
    }

    /// How far apart the samples of a scraped metric are. Which job exposes a metric no configuration says, only which
    /// cannot: any job is meant that the selector does not rule out, and any at all where it rules out all of them.
    fn scraping(&self, read: &SelectorInfo) -> Sampling {
        let mut jobs: Vec<&ScrapeJob> =
            self.prometheus.jobs.iter().filter(|job| may_have(job, read)).collect();
        if jobs.is_empty() {
            jobs = self.prometheus.jobs.iter().collect();
        }
        let Some(slowest) = jobs.iter().max_by_key(|job| job.scrape_interval) else {
            return Sampling { interval: self.prometheus.scrape_interval, slowest_of_several: None };
        };
        let differ = jobs.iter().any(|job| job.scrape_interval != slowest.scrape_interval);
        Sampling {
            interval: slowest.scrape_interval,
            slowest_of_several: differ.then(|| slowest.name.clone()),
        }
    }
}

/// Whether what `read` selects may be of a target of `job`, by the labels that every series of the target has. Of targets
/// that are discovered only the job's name is known.
fn may_have(job: &ScrapeJob, read: &SelectorInfo) -> bool {
    let fits = |labels: &Labels| {
        read.matchers.iter().all(|one| !labels.contains_key(one.name()) || one.matches(labels))
    };
    if job.targets.is_empty() {
        return fits(&[("job".to_owned(), job.name.clone())].into());
    }
    job.targets.iter().any(|target| fits(&target.series_labels(&job.name)))
}

/// The durations of a rule that would be rounded to nothing.
fn vanishing(rule: &Rule, speed: u32) -> Vec<NotCompressible> {
    let Rule::Alerting(alert) = rule else { return Vec::new() };
    [("for", alert.r#for), ("keep_firing_for", alert.keep_firing_for)]
        .into_iter()
        .filter(|(_, duration)| !duration.is_zero() && divide(*duration, speed).value.is_zero())
        .map(|(key, duration)| {
            let reason = format!("its {key} {} would vanish", format_duration(duration));
            refusal(reason, Some(last_before_zero(duration)))
        })
        .collect()
}

fn refusal(reason: String, largest_factor: Option<u32>) -> NotCompressible {
    NotCompressible { largest_factor, ..NotCompressible::at_any_factor(reason) }
}

/// The largest factor that does not round `duration` to nothing: a half is rounded up to a whole millisecond.
fn last_before_zero(duration: Duration) -> u32 {
    u32::try_from(milliseconds(duration).saturating_mul(2)).unwrap_or(u32::MAX)
}

fn metrics_read(rule: &Rule) -> Vec<String> {
    let expr = parse(rule.expr());
    expr.iter().flat_map(selectors_of).filter_map(|read| read.metric).collect()
}

/// Recorded metrics that a rule of theirs does not record at this factor, and the largest at which it does.
fn lost_metrics(rules: &[&Rule], results: &[Scaled]) -> BTreeMap<String, Option<u32>> {
    let mut lost = BTreeMap::new();
    for (rule, result) in rules.iter().zip(results) {
        if let (Rule::Recording(recording), Err(refused)) = (rule, result) {
            lost.entry(recording.name.clone())
                .and_modify(|largest| *largest = smaller(*largest, refused.largest_factor))
                .or_insert(refused.largest_factor);
        }
    }
    lost
}

/// Refuses a rule that reads a lost metric; gives whether that is news. A reason of its own stays.
fn lose_with(result: &mut Scaled, reads: &[String], lost: &BTreeMap<String, Option<u32>>) -> bool {
    let mut changed = false;
    for metric in reads {
        let Some(largest) = lost.get(metric) else { continue };
        match result {
            Ok(_) => {
                let reason =
                    format!("it reads {metric}, which is recorded by a rule that cannot be compressed");
                *result = Err(refusal(reason, *largest));
                changed = true;
            }
            Err(refused) => {
                let both = smaller(refused.largest_factor, *largest);
                changed |= both != refused.largest_factor;
                refused.largest_factor = both;
            }
        }
    }
    changed
}

/// The factor that suits both; none when one of them has none.
fn smaller(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    one.zip(other).map(|(one, other)| one.min(other))
}
