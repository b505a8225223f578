//! Faults, one by one.

use std::time::Duration;

use firedrill_record::ServiceName;

use super::problems::{Checked, Problems, optional};
use super::step::check_template;
use crate::fault::{BadMetrics, Fault};
use crate::source::Place;
use crate::spelling;
use crate::units::{ByteSize, Ratio};
use crate::written::{
    BadMetricsText, CpuText, ErrorsText, FaultText, GaugeText, HangText, HostCpuText, KillText, LatencyText,
    MemoryText, RefuseText, SlowBodyText,
};
use crate::yaml::At;

/// The longest time that a request can be held up.
const LONGEST_DELAY: Duration = Duration::from_mins(1);
/// The most that a service's memory can be made to grow.
const LARGEST_GROWTH: u64 = 1 << 30;
/// More processors than any host that a drill runs on has.
const MOST_PROCESSORS: u32 = 1024;

/// The fault, and where the part that it breaks is named.
pub(super) fn check_fault(fault: FaultText, problems: &mut Problems<'_>) -> Checked<(Fault, Place)> {
    match fault {
        FaultText::Errors(ErrorsText { service, ratio, lasts }) => {
            let (place, service, lasts) = ends(&service, &lasts, problems);
            let ratio = check_share(&ratio, "no request fails", problems);
            Ok((Fault::Errors { service: service?, ratio: ratio?, lasts: lasts? }, place))
        }
        FaultText::Latency(LatencyText { service, added, route, lasts }) => {
            let (place, service, lasts) = ends(&service, &lasts, problems);
            let added = check_delay(&added, problems);
            let route = optional(route, |route| check_template(&route, problems));
            let (service, added, route, lasts) = (service?, added?, route?, lasts?);
            Ok((Fault::Latency { service, added, route, lasts }, place))
        }
        FaultText::Hang(HangText { service, lasts }) => {
            let (place, service, lasts) = ends(&service, &lasts, problems);
            Ok((Fault::Hang { service: service?, lasts: lasts? }, place))
        }
        FaultText::Refuse(RefuseText { service, lasts }) => {
            let (place, service, lasts) = ends(&service, &lasts, problems);
            Ok((Fault::Refuse { service: service?, lasts: lasts? }, place))
        }
        FaultText::SlowBody(SlowBodyText { service, takes, lasts }) => {
            let (place, service, lasts) = ends(&service, &lasts, problems);
            let takes = check_delay(&takes, problems);
            Ok((Fault::SlowBody { service: service?, takes: takes?, lasts: lasts? }, place))
        }
        FaultText::Memory(MemoryText { service, grow, lasts }) => {
            let (place, service, lasts) = ends(&service, &lasts, problems);
            let grow = check_growth(&grow, problems);
            Ok((Fault::Memory { service: service?, grow: grow?, lasts: lasts? }, place))
        }
        FaultText::Cpu(CpuText { service, busy, lasts }) => {
            let (place, service, lasts) = ends(&service, &lasts, problems);
            let busy = check_share(&busy, "nothing is computed", problems);
            Ok((Fault::Cpu { service: service?, busy: busy?, lasts: lasts? }, place))
        }
        FaultText::BadMetrics(BadMetricsText { service, how, lasts }) => {
            let (place, service, lasts) = ends(&service, &lasts, problems);
            let how = check_how(&how, problems);
            Ok((Fault::BadMetrics { service: service?, how: how?, lasts: lasts? }, place))
        }
        // Whether the stack has such a part shows when it is broken; its name is one as a service's is.
        FaultText::Kill(KillText { part, lasts }) => {
            let (place, named, lasts) = ends(&part, &lasts, problems);
            Ok((Fault::Kill { part: named?.into(), lasts: lasts? }, place))
        }
        FaultText::HostCpu(HostCpuText { cores, lasts }) => {
            let place = lasts.place;
            let cores = optional(cores, |cores| problems.in_range(&cores, "processors", 1..=MOST_PROCESSORS));
            let lasts = problems.positive_duration(&lasts);
            Ok((Fault::HostCpu { cores: cores?, lasts: lasts? }, place))
        }
        FaultText::Gauge(GaugeText { name, value, lasts }) => {
            let place = value.place;
            let name = optional(name, |name| check_gauge_name(&name, problems));
            let value = check_gauge(&value, problems);
            let lasts = problems.positive_duration(&lasts);
            let name = name?.unwrap_or_else(|| Fault::DEFAULT_GAUGE.to_owned());
            Ok((Fault::Gauge { name, value: value?, lasts: lasts? }, place))
        }
    }
}

/// What every fault has: where it is done, and until when.
fn ends(
    part: &At<String>,
    lasts: &At<String>,
    problems: &mut Problems<'_>,
) -> (Place, Checked<ServiceName>, Checked<Duration>) {
    (part.place, problems.name(part), problems.positive_duration(lasts))
}

fn check_share(text: &At<String>, label: &str, problems: &mut Problems<'_>) -> Checked<Ratio> {
    let ratio: Ratio = problems.quantity(text)?;
    if ratio.share() > 0.0 {
        return Ok(ratio);
    }
    let help = "write a share above 0%, or remove the fault";
    Err(problems.report(text.place, "a fault that breaks nothing", label, help))
}

fn check_delay(text: &At<String>, problems: &mut Problems<'_>) -> Checked<Duration> {
    let delay = problems.positive_duration(text)?;
    if delay <= LONGEST_DELAY {
        return Ok(delay);
    }
    let message = format!("each request would be held up for {}", text.value);
    let help = "this is real time, not drill time: write 1m or less, or use `hang`";
    Err(problems.report(text.place, message, "longer than 1m", help))
}

fn check_growth(text: &At<String>, problems: &mut Problems<'_>) -> Checked<u64> {
    let size: ByteSize = problems.quantity(text)?;
    if (1..=LARGEST_GROWTH).contains(&size.bytes()) {
        return Ok(size.bytes());
    }
    let message = format!("memory that grows by {}", text.value);
    Err(problems.report(text.place, message, "out of range", "write 1B to 1GiB"))
}

/// By the rule of services' names, so that nothing in one has to be escaped anywhere.
fn check_gauge_name(text: &At<String>, problems: &mut Problems<'_>) -> Checked<String> {
    if text.value.parse::<ServiceName>().is_ok() {
        return Ok(text.value.clone());
    }
    let message = format!("`{}` is not a name for a gauge", text.value);
    let help = "a name has 1 to 100 lower-case letters, digits and inner hyphens";
    Err(problems.report(text.place, message, "not allowed", help))
}

fn check_gauge(value: &At<f64>, problems: &mut Problems<'_>) -> Checked<f64> {
    if !value.value.is_finite() {
        let message = format!("a gauge at {}", value.value);
        return Err(problems.report(value.place, message, "not a number", "write a number, like 1"));
    }
    if value.value == 0.0 {
        let help = "write another value than 0, which it has without the fault";
        return Err(problems.report(value.place, "a fault that breaks nothing", "as without it", help));
    }
    Ok(value.value)
}

fn check_how(text: &At<String>, problems: &mut Problems<'_>) -> Checked<BadMetrics> {
    BadMetrics::ALL.iter().copied().find(|one| one.as_str() == text.value).ok_or_else(|| {
        let known = BadMetrics::ALL.iter().map(|one| one.as_str());
        let message = format!("metrics cannot be bad as `{}`", text.value);
        problems.report(text.place, message, "not known here", spelling::hint(&text.value, known))
    })
}
