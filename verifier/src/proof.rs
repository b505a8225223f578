//! Proof that a fault had an effect, from the ledger and never from the fault's own switch.

use firedrill_drill::Fault;
use firedrill_record::{FaultRecord, Ledger};
use jiff::Timestamp;

/// The ratio seen must be at least this share of the ratio asked for: a request in flight at either end still counts
/// as untouched.
const LEAST_SHARE: f64 = 0.5;

/// The proof in a sentence with its numbers, on the ledger until `until`.
///
/// # Errors
/// Why there is none, in a sentence.
pub fn of_effect(
    fault: &Fault,
    record: &FaultRecord,
    ledger: &Ledger,
    until: Timestamp,
) -> Result<String, String> {
    let injected = record.injected.ok_or("the fault was never injected")?;
    let end = record.undo_asked.unwrap_or(until);
    match fault {
        Fault::Latency { .. }
        | Fault::Hang { .. }
        | Fault::Refuse { .. }
        | Fault::SlowBody { .. }
        | Fault::Memory { .. }
        | Fault::Cpu { .. }
        | Fault::BadMetrics { .. }
        | Fault::Kill { .. } => Err(String::new()),
        Fault::Errors { service, ratio, .. } => {
            let (all, failed) = ledger.closed_between(service, injected, end);
            if all == 0 {
                return Err(format!("no request reached {service} while the fault was on"));
            }
            let seen = failed as f64 / all as f64;
            let numbers = format!(
                "{failed} of {all} requests to {service} failed ({:.1}%), asked for {ratio}",
                seen * 100.0
            );
            // What failed before is not this fault's doing.
            let lasted = end.duration_since(injected);
            let (all_before, failed_before) =
                ledger.closed_between(service, record.asked - lasted, record.asked);
            let before = if all_before == 0 { 0.0 } else { failed_before as f64 / all_before as f64 };
            let least = before + ratio.share() * (1.0 - before) * LEAST_SHARE;
            if failed == 0 || seen < least {
                Err(format!("{numbers}, {:.1}% failed before", before * 100.0))
            } else {
                Ok(numbers)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixtures;

    #[test]
    fn failed_requests_under_the_fault_prove_it_and_none_or_few_do_not() {
        let plan = fixtures::plan();
        let mut evidence = fixtures::alert_evidence();
        let fault = &plan.faults[0].1;
        let record = evidence.faults[0].clone();
        let ledger = evidence.ledger.as_mut().unwrap();
        let proof = of_effect(fault, &record, ledger, evidence.ended).unwrap();
        assert!(proof.starts_with("240 of 800"), "{proof}");
        for bin in &mut ledger.rows[0].bins {
            bin.status = 200;
        }
        assert!(of_effect(fault, &record, ledger, evidence.ended).unwrap_err().starts_with("0 of 800"));
        ledger.rows.clear();
        assert!(of_effect(fault, &record, ledger, evidence.ended).unwrap_err().contains("no request"));
    }
}
