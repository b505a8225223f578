//! Errors: the ledger shows the failed requests.

use firedrill_drill::Ratio;
use firedrill_record::{Ledger, ServiceName};

use super::verdict::Span;

/// The ratio seen must be at least this share of the ratio asked for: a request in flight at either end still counts
/// as untouched.
const LEAST_SHARE: f64 = 0.5;

pub(super) fn proof(
    service: &ServiceName,
    ratio: Ratio,
    span: &Span,
    ledger: &Ledger,
) -> Result<String, String> {
    let (all, failed) = ledger.closed_between(service, span.injected, span.ended);
    if all == 0 {
        return Err(format!("no request reached {service} while the fault was on"));
    }
    let seen = failed as f64 / all as f64;
    let numbers =
        format!("{failed} of {all} requests to {service} failed ({:.1}%), asked for {ratio}", seen * 100.0);
    // What failed before is not this fault's doing.
    let (all_before, failed_before) = ledger.closed_between(service, span.before(), span.asked);
    let before = if all_before == 0 { 0.0 } else { failed_before as f64 / all_before as f64 };
    let least = before + ratio.share() * (1.0 - before) * LEAST_SHARE;
    if failed == 0 || seen < least {
        Err(format!("{numbers}, {:.1}% failed before", before * 100.0))
    } else {
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::fixtures;
    use crate::proof::of_effect;

    #[test]
    fn failed_requests_under_the_fault_prove_it_and_none_or_few_do_not() {
        let fault = &fixtures::plan().faults[0].1;
        let mut evidence = fixtures::alert_evidence();
        let record = evidence.faults[0].clone();
        let proof = of_effect(fault, &record, &evidence).unwrap();
        assert!(proof.starts_with("240 of 800"), "{proof}");
        for bin in &mut evidence.ledger.as_mut().unwrap().rows[0].bins {
            bin.status = 200;
        }
        assert!(of_effect(fault, &record, &evidence).unwrap_err().sentence.starts_with("0 of 800"));
        evidence.ledger.as_mut().unwrap().rows.clear();
        assert!(of_effect(fault, &record, &evidence).unwrap_err().sentence.contains("no request"));
        evidence.ledger = None;
        assert!(of_effect(fault, &record, &evidence).is_err());
    }
}
