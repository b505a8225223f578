//! What the processes of a drill used, and what Prometheus scraped: figures for reports and for growth over windows.

use std::collections::BTreeMap;

use firedrill_record::{FirstLastMost, PartUse, ScrapedTarget};
use firedrill_rulebook::PrometheusConfig;

use crate::evidence::{Evidence, PartSample};
use crate::plan::Plan;

/// One figure for each part that was looked at, in the order of names.
pub(crate) fn parts(evidence: &Evidence) -> Vec<PartUse> {
    let mut samples: BTreeMap<&str, Vec<&PartSample>> = BTreeMap::new();
    for sample in &evidence.parts {
        samples.entry(&sample.part).or_default().push(sample);
    }
    samples.into_iter().filter_map(|(part, samples)| of_part(part, &samples)).collect()
}

fn of_part(part: &str, samples: &[&PartSample]) -> Option<PartUse> {
    let (first, last) = (samples.first()?, samples.last()?);
    let mut pids: Vec<u32> = samples.iter().map(|one| one.pid).collect();
    pids.dedup();
    let of_last = samples.iter().find(|one| one.pid == last.pid)?;
    let quantity = |of: fn(&PartSample) -> u64| FirstLastMost {
        first: of(first),
        last: of(last),
        most: samples.iter().map(|one| of(one)).max().unwrap_or_default(),
    };
    Some(PartUse {
        part: part.to_owned(),
        pids,
        seconds: last.at.duration_since(first.at).as_secs_f64(),
        cpu_seconds: last.cpu_ms.saturating_sub(of_last.cpu_ms) as f64 / 1000.0,
        resident_bytes: quantity(|one| one.resident_bytes),
        open_fds: quantity(|one| one.open_fds),
    })
}

/// What each target gave at its last scrape, with the interval it has when deployed: the running one times the speed.
/// Empty when it could not be read.
pub(crate) fn scraped(plan: &Plan, evidence: &Evidence) -> Vec<ScrapedTarget> {
    let Ok(sizes) = &evidence.scrape_sizes else { return Vec::new() };
    let configuration = evidence.configuration.as_ref().ok();
    let Some(prometheus) = configuration.and_then(|live| PrometheusConfig::parse(&live.prometheus_yaml).ok())
    else {
        return Vec::new();
    };
    let target = |series: &crate::evidence::Series| {
        let job = prometheus.jobs.iter().find(|job| job.name == series.label("job"))?;
        let last = series.samples.last()?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of samples")]
        Some(ScrapedTarget {
            job: job.name.clone(),
            service: series.label("service").to_owned(),
            instance: series.label("instance").to_owned(),
            series: last.value.max(0.0) as u64,
            interval_seconds: job.scrape_interval.as_secs_f64() * f64::from(plan.speed),
        })
    };
    sizes.iter().filter_map(target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixtures;

    fn sample(second: i64, part: &str, pid: u32, resident_bytes: u64, cpu_ms: u64) -> PartSample {
        let at = fixtures::at(second * 1000);
        PartSample {
            at,
            part: part.to_owned(),
            pid,
            resident_bytes,
            cpu_ms,
            open_fds: 10 + resident_bytes % 3,
        }
    }

    #[test]
    fn a_part_that_was_restarted_has_two_processes_and_the_time_of_its_last() {
        let mut evidence = fixtures::alert_evidence();
        evidence.parts = vec![
            sample(0, "auth", 1, 100, 5_000),
            sample(0, "user", 7, 40, 100),
            sample(1, "auth", 1, 300, 6_000),
            sample(2, "auth", 2, 50, 20),
            sample(4, "auth", 2, 60, 520),
        ];
        let parts = parts(&evidence);
        assert_eq!(parts.iter().map(|one| one.part.as_str()).collect::<Vec<_>>(), ["auth", "user"]);
        let auth = &parts[0];
        assert_eq!(auth.pids, [1, 2]);
        assert_eq!(auth.resident_bytes, FirstLastMost { first: 100, last: 60, most: 300 });
        assert!((auth.cpu_seconds - 0.5).abs() < 1e-9 && (auth.seconds - 4.0).abs() < 1e-9);
    }

    #[test]
    fn scrapes_are_counted_at_the_interval_that_is_deployed() {
        let mut evidence = fixtures::alert_evidence();
        let labels = [("job", "services"), ("service", "user"), ("instance", "user:3002")];
        evidence.scrape_sizes =
            Ok(vec![fixtures::series("scrape_samples_post_metric_relabeling", &labels, 300.0)]);
        let found = scraped(&fixtures::plan(), &evidence);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].series, found[0].service.as_str()), (300, "user"));
        assert!((found[0].interval_seconds - 15.0).abs() < 1e-9, "{}", found[0].interval_seconds);
        assert!((found[0].samples_per_day() - 1_728_000.0).abs() < 1e-6);
        evidence.scrape_sizes = Err("refused".to_owned());
        assert!(scraped(&fixtures::plan(), &evidence).is_empty());
    }
}
