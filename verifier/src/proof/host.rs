//! Busy processors: the kernel's counters of the host, and of the burner's process.
//!
//! Who else is busy must be known too: a host that is busy without the burner proves nothing about it.

use firedrill_record::Reason;
use jiff::Timestamp;

use super::verdict::{Span, Unproved};
use crate::evidence::Evidence;
use crate::host::{BUSY, Usage};

/// At least this share of the processors asked for must be busy meanwhile.
const OF_ASKED: f64 = 0.9;
/// The burner must itself use at least this share of what was idle before: it gets nothing else.
const OF_IDLE: f64 = 0.5;

pub(super) fn proof(cores: Option<u32>, span: &Span, evidence: &Evidence) -> Result<String, Unproved> {
    let Some(processors) = evidence.processors else {
        return Err("it is not known how many processors the host has".to_owned().into());
    };
    let usage = |from, to, when: &str| {
        Usage::between(evidence, from, to)
            .ok_or_else(|| format!("the host was not looked at often enough {when} the fault"))
    };
    let before = usage(span.before(), span.asked, "before")?;
    let during = usage(span.injected, span.ended, "under")?;
    let asked = f64::from(cores.unwrap_or(processors).min(processors)) / f64::from(processors);
    let numbers = format!(
        "the {processors} processors of the host were {} busy, {} by the burner, {} by the stack and the harness, {} by others; {} busy before",
        percent(during.all),
        percent(during.burner),
        percent(during.own),
        percent(during.foreign()),
        percent(before.all),
    );
    if let Some(why) = busy_by_itself(&before, &during, after(span, evidence).as_ref()) {
        return Err(Unproved { reason: Reason::HostBusy, sentence: format!("{why}: {numbers}") });
    }
    let idle = asked.min(1.0 - before.all);
    if during.all >= asked * OF_ASKED && during.burner >= idle * OF_IDLE && during.burner > 0.0 {
        Ok(numbers)
    } else {
        Err(format!("{numbers}; asked for {}", percent(asked)).into())
    }
}

/// As long after the fault as it lasted, or as long as the evidence goes; none while that is nothing.
fn after(span: &Span, evidence: &Evidence) -> Option<Usage> {
    let lasted = span.ended.duration_since(span.injected);
    let until = span.ended.checked_add(lasted).unwrap_or(Timestamp::MAX).min(evidence.ended);
    Usage::between(evidence, span.ended, until)
}

/// Why something else than the burner explains what rules about processors see, if it does.
fn busy_by_itself(before: &Usage, during: &Usage, after: Option<&Usage>) -> Option<String> {
    let told = |usage: &Usage, when: &str| {
        let busy = usage.without_burner();
        (busy > BUSY)
            .then(|| format!("the host was {} busy without the burner {when} the fault", percent(busy)))
    };
    told(before, "before").or_else(|| told(during, "under")).or_else(|| told(after?, "after"))
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use firedrill_drill::Fault;

    use super::*;
    use crate::checks::fixtures::{self, at};
    use crate::evidence::{HostSample, PartSample};
    use crate::proof::of_effect;

    /// Two processors, the fault from 10 s to 18 s. Shares of the host: `busy` by second, and the burner's.
    fn proved(cores: Option<u32>, busy: impl Fn(i64) -> f64, burner: f64) -> Result<String, Unproved> {
        let mut evidence = fixtures::alert_evidence();
        evidence.processors = Some(2);
        evidence.host = (0..30)
            .map(|second| HostSample { at: at(second * 1000), busy: busy(second), waiting: 0.0 })
            .collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
        let used = |second: i64| (burner * 2.0 * 1000.0 * (second - 10) as f64) as u64;
        evidence.parts = (11..18)
            .map(|second| PartSample {
                at: at(second * 1000),
                part: Fault::BURNER.into(),
                pid: 7,
                resident_bytes: 0,
                cpu_ms: used(second),
                open_fds: 4,
            })
            .collect();
        let fault = Fault::HostCpu { cores, lasts: Duration::from_mins(8) };
        of_effect(&fault, &evidence.faults[0], &evidence)
    }

    fn under(second: i64) -> bool {
        (11..=18).contains(&second)
    }

    #[test]
    fn an_idle_host_that_is_busy_by_the_burner_meanwhile_proves_it() {
        let proof = proved(None, |second| if under(second) { 0.98 } else { 0.1 }, 0.85).unwrap();
        assert!(
            proof.contains("98% busy, 85% by the burner") && proof.ends_with("10% busy before"),
            "{proof}"
        );
        assert!(proved(Some(1), |second| if under(second) { 0.6 } else { 0.1 }, 0.48).is_ok());
    }

    #[test]
    fn a_burner_that_gets_what_half_a_busy_host_leaves_proves_it() {
        assert!(proved(None, |second| if under(second) { 0.97 } else { 0.5 }, 0.45).is_ok());
    }

    #[test]
    fn a_host_that_stays_idle_or_a_burner_that_does_nothing_proves_nothing() {
        let reason = |busy: f64, burner| {
            proved(None, |second| if under(second) { busy } else { 0.1 }, burner).unwrap_err().reason
        };
        assert_eq!(reason(0.6, 0.5), Reason::FaultWithoutEffect);
        assert_eq!(reason(0.98, 0.3), Reason::FaultWithoutEffect);
        // Somebody else made it busy.
        assert_eq!(reason(0.98, 0.0), Reason::HostBusy);
    }

    #[test]
    fn a_host_that_is_busy_by_others_before_or_afterwards_is_named() {
        let busy_before = proved(None, |second| if second <= 18 { 0.95 } else { 0.1 }, 0.1).unwrap_err();
        assert_eq!(busy_before.reason, Reason::HostBusy);
        assert!(busy_before.sentence.contains("before the fault"), "{busy_before}");
        let busy_after = proved(None, |second| if second > 10 { 0.95 } else { 0.1 }, 0.85).unwrap_err();
        assert_eq!(busy_after.reason, Reason::HostBusy);
        assert!(busy_after.sentence.contains("after the fault"), "{busy_after}");
    }

    #[test]
    fn a_host_that_nobody_looked_at_proves_nothing() {
        let evidence = fixtures::alert_evidence();
        let fault = Fault::HostCpu { cores: None, lasts: Duration::from_mins(8) };
        let unproved = of_effect(&fault, &evidence.faults[0], &evidence).unwrap_err();
        assert_eq!(unproved.reason, Reason::FaultWithoutEffect);
        let mut unseen = evidence;
        unseen.processors = Some(2);
        let unproved = of_effect(&fault, &unseen.faults[0], &unseen).unwrap_err();
        assert!(unproved.sentence.contains("not looked at often enough before"), "{unproved}");
    }
}
