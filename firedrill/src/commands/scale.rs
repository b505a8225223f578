//! `firedrill scale`: what compressing time makes of rule files.

use std::path::Path;

use firedrill_reports::{
    Destination, Format, ReportError, ScaleReport, render_scale, render_scale_json, write_text,
};
use firedrill_rulebook::{CompressError, FiredrillConfig, PrometheusConfig, RuleClass, RuleSet};

use super::report::say;
use super::scale_files::{RuleTexts, ScaledFolder};
use crate::cli::{ScaleArguments, Talk};
use crate::failure::{Failure, INVALID, NOT_SET_UP};
use crate::speed::Speed;

/// Exit code when some rules cannot be compressed.
const NOT_COMPRESSIBLE: u8 = 1;

pub(crate) fn scale(arguments: &ScaleArguments, talk: &Talk) -> Result<u8, Failure> {
    let given = RuleTexts::read(&arguments.files);
    let out = arguments.out.as_deref();
    let folder = out.map(|folder| ScaledFolder::plan(folder, given.texts.keys())).transpose()?;
    let left_aside = given.left_aside.clone();
    let rules = rule_set(arguments, given)?;
    let speed = match arguments.speed {
        Speed::Factor(factor) => factor,
        Speed::Auto => rules.faithful_speed(),
    };
    let scaled = rules.scale(speed).map_err(|error| {
        let too_fast = matches!(error, CompressError::TooFast { .. });
        Failure::told(INVALID, &error, too_fast.then_some("give a smaller --speed, or `--speed auto`"))
    })?;
    if let Some(folder) = &folder {
        folder.write(&scaled.files)?;
    }
    let report = ScaleReport {
        speed,
        chosen: arguments.speed == Speed::Auto,
        scrape_interval: arguments.scrape_interval,
        evaluation_interval: arguments.evaluation_interval,
        rules: &scaled.rules,
        left_aside: &left_aside,
        written: folder.as_ref().map(ScaledFolder::path),
    };
    show(&report, arguments, talk)?;
    Ok(if report.count(RuleClass::NotCompressible) > 0 { NOT_COMPRESSIBLE } else { 0 })
}

/// The rules, read; or everything that is wrong with any file.
fn rule_set(arguments: &ScaleArguments, given: RuleTexts) -> Result<RuleSet, Failure> {
    let mut problems = given.problems;
    let declared = match arguments.drivers.as_deref().map(drivers).transpose() {
        Ok(declared) => declared.unwrap_or_default(),
        Err(problem) => {
            problems.push(problem);
            FiredrillConfig::default()
        }
    };
    let prometheus =
        PrometheusConfig::with_intervals(arguments.scrape_interval, arguments.evaluation_interval);
    let rules = RuleSet::read(given.texts, prometheus, declared);
    if let Err(invalid) = &rules {
        problems.extend(invalid.problems.iter().map(ToString::to_string));
    }
    match rules {
        Ok(rules) if problems.is_empty() && rules.count() > 0 => Ok(rules),
        Ok(_) if problems.is_empty() => {
            Err(Failure::plain(INVALID, "there is no rule in any of the files: nothing can be said of them"))
        }
        Ok(_) | Err(_) => Err(invalid(&problems)),
    }
}

fn invalid(problems: &[String]) -> Failure {
    let count = problems.len();
    let heading = if count == 1 { "1 problem".to_owned() } else { format!("{count} problems") };
    Failure::plain(INVALID, &format!("{heading}; nothing was written\n{}", problems.join("\n")))
}

fn drivers(file: &Path) -> Result<FiredrillConfig, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    FiredrillConfig::parse(&text)
        .map_err(|error| format!("{}:{}: {}", file.display(), error.line, error.problem))
}

/// Shows the table on stdout, unless the JSON takes its place.
fn show(report: &ScaleReport<'_>, arguments: &ScaleArguments, talk: &Talk) -> Result<(), Failure> {
    let destination = arguments.json.clone().map(Destination::from);
    if destination != Some(Destination::Stdout) {
        say(&render_scale(report, &talk.results))?;
    }
    let Some(destination) = destination else { return Ok(()) };
    let format = Format::Json;
    render_scale_json(report)
        .map_err(|source| ReportError::Render { format, source })
        .and_then(|text| write_text(format, &destination, &text))
        .map_err(|error| Failure::new(NOT_SET_UP, &error, None))
}
