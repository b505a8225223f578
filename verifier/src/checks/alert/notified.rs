//! An alert that must be told to a receiver.

use firedrill_drill::AlertExpectation;
use firedrill_record::{ExpectationRecord, Reason};
use jiff::Timestamp;

use super::followed::Followed;
use super::judge::KIND;
use super::steps::Step;
use crate::evidence::Evidence;
use crate::plan::Plan;

/// The verdict when every step that has begun ended inside its window.
pub(super) fn verdict(
    followed: &Followed<'_>,
    receiver: &str,
    plan: &Plan,
    expectation: &AlertExpectation,
    evidence: &Evidence,
    steps: &[Step],
) -> ExpectationRecord {
    if !witnessed(followed, receiver, plan, expectation, evidence) {
        return ExpectationRecord::because(
            KIND,
            expectation.to_string(),
            Reason::EvidenceContradicts,
            format!("{receiver} was told, and the witness beside it was not"),
        );
    }
    let total =
        |from: Timestamp, to: Option<Timestamp>| to.map_or(0.0, |to| to.duration_since(from).as_secs_f64());
    let (record, life) = (&followed.record, &followed.life);
    ExpectationRecord::held(
        KIND,
        expectation.to_string(),
        format!(
            "delivered to {receiver} {:.2}s after the fault began, resolved there {:.2}s after it ended; all {} steps inside their windows",
            total(record.asked, life.delivered),
            record.undo_asked.map_or(0.0, |ended| total(ended, life.resolved_delivered)),
            steps.len()
        ),
    )
}

/// Whether the witness beside the receiver's webhook was told as well; true where there is none.
fn witnessed(
    followed: &Followed<'_>,
    receiver: &str,
    plan: &Plan,
    expectation: &AlertExpectation,
    evidence: &Evidence,
) -> bool {
    if !plan.witnessed {
        return true;
    }
    evidence.witness.iter().any(|notification| {
        notification.receiver == receiver
            && notification.alerts.iter().any(|alert| {
                alert.status == "firing"
                    && plan.is_of_this_drill(&alert.labels)
                    && alert.labels.get("alertname") == Some(&followed.alert.rule.name)
                    && expectation.labels.iter().all(|(name, value)| alert.labels.get(name) == Some(value))
            })
    })
}
