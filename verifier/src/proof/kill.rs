//! A killed process: the kernel says that it ended, and it is there no more.

use firedrill_record::FaultRecord;

use super::verdict::Span;
use crate::evidence::PartSample;

pub(super) fn proof(
    part: &str,
    record: &FaultRecord,
    span: &Span,
    parts: &[PartSample],
) -> Result<String, String> {
    let Some(witnessed) = &record.witnessed else {
        return Err(format!("nobody saw the process of {part} end"));
    };
    let own = || parts.iter().filter(|one| one.part == part);
    let Some(before) = own().rfind(|one| one.at <= span.asked) else {
        return Err(format!("{witnessed}; the process of {part} was not seen before"));
    };
    if let Some(still) = own().find(|one| one.at >= span.injected && one.pid == before.pid) {
        return Err(format!("{witnessed}; process {} of {part} was still there at {}", still.pid, still.at));
    }
    let successor = own().find(|one| one.at >= span.injected);
    let looked = parts.iter().any(|one| span.holds(one.at));
    match successor {
        Some(after) => Ok(format!("{witnessed}; {part} came back as process {}", after.pid)),
        None if looked => Ok(format!("{witnessed}; process {} of {part} is gone", before.pid)),
        None => Err(format!("{witnessed}; nobody looked for its process afterwards")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use firedrill_drill::Fault;

    use super::*;
    use crate::checks::fixtures::{self, at};
    use crate::proof::{Unproved, of_effect};

    fn proved(witnessed: bool, seen: &[(i64, &str, u32)]) -> Result<String, Unproved> {
        let mut evidence = fixtures::alert_evidence();
        evidence.faults[0].witnessed = witnessed.then(|| "process 7 ended by signal 9".to_owned());
        evidence.parts = seen
            .iter()
            .map(|(ms, part, pid)| PartSample {
                at: at(*ms),
                part: (*part).to_owned(),
                pid: *pid,
                resident_bytes: 0,
                cpu_ms: 0,
                open_fds: 0,
            })
            .collect();
        let fault = Fault::Kill { part: "user".into(), lasts: Duration::from_mins(8) };
        of_effect(&fault, &evidence.faults[0], &evidence)
    }

    #[test]
    fn the_kernels_word_and_a_process_that_is_gone_or_another_prove_it() {
        assert!(proved(true, &[(9_000, "user", 7), (12_000, "auth", 8)]).unwrap().contains("is gone"));
        assert!(proved(true, &[(9_000, "user", 7), (19_000, "user", 9)]).unwrap().contains("process 9"));
    }

    #[test]
    fn a_process_that_is_still_there_or_was_not_looked_for_proves_nothing() {
        assert!(proved(true, &[(9_000, "user", 7), (12_000, "user", 7)]).is_err());
        assert!(proved(true, &[(9_000, "user", 7)]).is_err());
        assert!(proved(true, &[(12_000, "auth", 8)]).is_err());
        assert!(proved(false, &[(9_000, "user", 7), (19_000, "user", 9)]).is_err());
    }
}
