//! A capacity run: samples a day against the target, and the rates of one service.

use std::fmt::Write as _;

use firedrill_record::{CapacityRecord, Verdict};

use crate::figures::thousands;
use crate::page::{Page, sign};
use crate::palette::Tone;
use crate::printable::printable;

const SECONDS_A_DAY: f64 = 86_400.0;

/// What `capacity` found, as two blocks of lines.
pub(crate) fn sections(page: Page, capacity: &CapacityRecord) -> Vec<String> {
    vec![today(page, capacity), steps(page, capacity)]
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of samples and series")]
fn whole(value: f64) -> String {
    thousands(value.max(0.0).round() as u64)
}

fn today(page: Page, capacity: &CapacityRecord) -> String {
    let mut rows: Vec<Vec<String>> = capacity
        .today
        .iter()
        .map(|one| {
            vec![
                printable(&one.job),
                printable(if one.service.is_empty() { &one.instance } else { &one.service }),
                thousands(one.series),
                format!("{} s", one.interval_seconds),
                whole(one.samples_per_day()),
                format!("{:.1}%", 100.0 * one.samples_per_day() / capacity.target_samples_per_day),
            ]
        })
        .collect();
    let series: u64 = capacity.today.iter().map(|one| one.series).sum();
    rows.push(vec![
        "all".to_owned(),
        String::new(),
        thousands(series),
        String::new(),
        whole(capacity.samples_per_day),
        format!("{:.1}%", 100.0 * capacity.samples_per_day / capacity.target_samples_per_day),
    ]);
    let heading = ["job", "target", "series", "interval", "samples a day", "of target"];
    let mut lines = vec![
        "samples a day today = series · 86,400 s / scrape interval:".to_owned(),
        page.table(&heading, rows, &[]),
    ];
    lines.push(page.paragraph("", &against_the_target(capacity, series)));
    lines.join("\n")
}

/// The arithmetic of the target: what fits into it, and what ten services would take.
fn against_the_target(capacity: &CapacityRecord, series: u64) -> String {
    let target = capacity.target_samples_per_day;
    let services: Vec<f64> = capacity
        .today
        .iter()
        .filter(|one| !one.service.is_empty())
        .map(firedrill_record::ScrapedTarget::samples_per_day)
        .collect();
    let mut text = format!("{} samples a day are {:.1} a second", whole(target), target / SECONDS_A_DAY);
    if let Some(interval) = capacity.today.first().map(|one| one.interval_seconds) {
        let _ = write!(text, ": {} series at {interval} s", whole(target * interval / SECONDS_A_DAY));
    }
    let _ = write!(
        text,
        "; the {} series of today would fit at an interval of {:.0} s",
        thousands(series),
        series as f64 * SECONDS_A_DAY / target
    );
    if !services.is_empty() {
        let each = services.iter().sum::<f64>() / services.len() as f64;
        let _ = write!(
            text,
            "; {} services of today take {} a day each, {} like them would take {}",
            services.len(),
            whole(each),
            capacity.target_services,
            whole(each * f64::from(capacity.target_services))
        );
    }
    text
}

fn steps(page: Page, capacity: &CapacityRecord) -> String {
    let ms = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.1}"));
    let mut tones = Vec::new();
    let rows: Vec<Vec<String>> = capacity
        .steps
        .iter()
        .enumerate()
        .map(|(number, one)| {
            tones.push((number + 1, 6, Tone::of(one.truth)));
            if !one.within {
                tones.push((number + 1, 4, Tone::of(Verdict::Violated)));
            }
            vec![
                format!("{}/s", one.rate),
                format!("{:.1}%", one.achieved * 100.0),
                format!("{:.1}%", one.failed * 100.0),
                ms(one.p50_ms),
                ms(one.p99_ms),
                format!("{:.2} / {:.2}", one.service_cpu, one.harness_cpu),
                format!("{} {}", sign(one.truth), one.truth),
            ]
        })
        .collect();
    let heading = ["rate", "started", "failed", "p50 ms", "p99 ms", "cores¹", "truth"];
    let service = printable(&capacity.service);
    let carried = capacity.carried.map_or_else(
        || format!("{service} did not carry the first rate within {:.0} ms", capacity.limit_p99_ms),
        |rate| {
            format!(
                "{service} carries {rate}/s with a 99th percentile of at most {:.0} ms",
                capacity.limit_p99_ms
            )
        },
    );
    [
        format!("rates of {service}, latency from the intended start:"),
        page.table(&heading, rows, &tones),
        page.paragraph("", &format!("{carried}: {}", printable(&capacity.ended_because))),
        page.paragraph(
            "",
            "¹ used by the service / by the load generator. Load generator, services and monitoring share this machine: a service on its own carries more",
        ),
    ]
    .join("\n")
}
