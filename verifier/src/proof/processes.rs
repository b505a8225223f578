//! Memory and processor time: what the kernel says of the service's process.

use firedrill_drill::Ratio;
use firedrill_record::ServiceName;
use jiff::Timestamp;

use super::verdict::Span;
use crate::evidence::PartSample;

/// At least this share of the memory asked for must be resident.
const OF_MEMORY: f64 = 0.8;
/// At least this share of the processor time asked for must be used: the host may be busy.
const OF_CPU: f64 = 0.5;

pub(super) fn memory(
    service: &ServiceName,
    grow: u64,
    span: &Span,
    parts: &[PartSample],
) -> Result<String, String> {
    let before = last_before(service, span, parts)?;
    let during = of(service, parts).filter(|one| span.holds(one.at) && one.pid == before.pid);
    let most = during.map(|one| one.resident_bytes).max().ok_or_else(|| unseen(service))?;
    let grown = most.saturating_sub(before.resident_bytes);
    let numbers = format!(
        "process {} of {service} grew by {grown} bytes of resident memory, from {}; asked for {grow}",
        before.pid, before.resident_bytes
    );
    if grown > 0 && grown as f64 >= grow as f64 * OF_MEMORY { Ok(numbers) } else { Err(numbers) }
}

pub(super) fn cpu(
    service: &ServiceName,
    busy: Ratio,
    span: &Span,
    parts: &[PartSample],
) -> Result<String, String> {
    let before = last_before(service, span, parts)?;
    let share = |from: Timestamp, to: Timestamp| {
        let seen: Vec<&PartSample> =
            of(service, parts).filter(|one| (from..=to).contains(&one.at) && one.pid == before.pid).collect();
        let (first, last) = (seen.first()?, seen.last()?);
        let ms = last.at.duration_since(first.at).as_secs_f64() * 1000.0;
        (ms > 0.0).then(|| last.cpu_ms.saturating_sub(first.cpu_ms) as f64 / ms)
    };
    let (Some(during), Some(earlier)) = (share(span.injected, span.ended), share(span.before(), span.asked))
    else {
        return Err(unseen(service));
    };
    let numbers = format!(
        "process {} of {service} used {:.0}% of a processor, {:.0}% before; asked for {busy} more",
        before.pid,
        during * 100.0,
        earlier * 100.0
    );
    let more = during - earlier;
    if more > 0.0 && more >= busy.share() * OF_CPU { Ok(numbers) } else { Err(numbers) }
}

fn of<'a>(service: &'a ServiceName, parts: &'a [PartSample]) -> impl Iterator<Item = &'a PartSample> {
    parts.iter().filter(move |one| one.part == service.as_str())
}

fn last_before<'a>(
    service: &'a ServiceName,
    span: &Span,
    parts: &'a [PartSample],
) -> Result<&'a PartSample, String> {
    of(service, parts).filter(|one| one.at <= span.asked).last().ok_or_else(|| unseen(service))
}

fn unseen(service: &ServiceName) -> String {
    format!("the process of {service} was not seen often enough before and under the fault")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use firedrill_drill::Fault;

    use super::*;
    use crate::checks::fixtures::{self, at};
    use crate::proof::{Unproved, of_effect};

    /// One look a second; the fault lasts from 10 s to 18 s.
    fn proved(
        fault: &Fault,
        resident: impl Fn(i64) -> u64,
        cpu: impl Fn(i64) -> u64,
    ) -> Result<String, Unproved> {
        let mut evidence = fixtures::alert_evidence();
        evidence.parts = (0..30)
            .map(|second| PartSample {
                at: at(second * 1000),
                part: "user".into(),
                pid: 7,
                resident_bytes: resident(second),
                cpu_ms: cpu(second),
                open_fds: 9,
            })
            .collect();
        of_effect(fault, &evidence.faults[0], &evidence)
    }

    fn under(second: i64) -> bool {
        (11..18).contains(&second)
    }

    #[test]
    fn memory_that_grows_as_asked_proves_it_and_less_does_not() {
        let fault =
            Fault::Memory { service: "user".parse().unwrap(), grow: 64 << 20, lasts: Duration::from_mins(8) };
        let grows = |by: u64| move |second| (20 << 20) + if under(second) { by } else { 0 };
        assert!(proved(&fault, grows(60 << 20), |_| 0).is_ok());
        assert!(proved(&fault, grows(40 << 20), |_| 0).is_err());
        assert!(
            of_effect(&fault, &fixtures::alert_evidence().faults[0], &fixtures::alert_evidence()).is_err()
        );
    }

    #[test]
    fn processor_time_beyond_that_before_proves_it() {
        let fault = Fault::Cpu {
            service: "user".parse().unwrap(),
            busy: "50%".parse().unwrap(),
            lasts: Duration::from_mins(8),
        };
        let used = |before: u64, during: u64| {
            move |second: i64| {
                let second = u64::try_from(second).unwrap();
                before * second.min(10) + during * second.saturating_sub(10)
            }
        };
        assert!(proved(&fault, |_| 0, used(100, 600)).is_ok());
        assert!(proved(&fault, |_| 0, used(100, 200)).is_err());
        assert!(proved(&fault, |_| 0, used(600, 600)).is_err());
    }
}
