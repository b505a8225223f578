//! `metric`: a series appears by its computed deadline.

use firedrill_drill::MetricExpectation;
use firedrill_record::{ExpectationRecord, Reason, Segment};

use crate::evidence::Evidence;

const KIND: &str = "metric";

/// Scheduling on a loaded host may add so much, in seconds.
const SLACK: f64 = 1.0;

/// Judges the `index`th expectation of the drill. The series must be there two scrapes after the load began: one to
/// discover it and one more because the first may already have been under way.
pub(crate) fn judge(
    index: usize,
    expectation: &MetricExpectation,
    scrape_interval: Option<f64>,
    evidence: &Evidence,
) -> ExpectationRecord {
    let about = expectation.to_string();
    let Some(probe) = evidence.metric_probes.iter().find(|probe| probe.expectation == index) else {
        return ExpectationRecord::because(
            KIND,
            about,
            Reason::EvidenceMissing,
            "Prometheus was never asked for the metric",
        );
    };
    let Some(scrape) = scrape_interval else {
        return ExpectationRecord::because(
            KIND,
            about,
            Reason::EvidenceMissing,
            "the scrape interval of the running Prometheus is not known",
        );
    };
    let Some(began) = evidence.ledger.as_ref().map(|ledger| ledger.zero) else {
        return ExpectationRecord::because(KIND, about, Reason::EvidenceMissing, "the load never began");
    };
    let latest = 2.0 * scrape + SLACK;

    match &probe.first {
        Err(error) => ExpectationRecord::because(
            KIND,
            &about,
            Reason::QueryFailed,
            format!("the query for {about} failed: {error}"),
        ),
        Ok(None) => ExpectationRecord::because(
            KIND,
            &about,
            Reason::MetricAbsent,
            format!("{about} never appeared, it was due {latest:.2}s after the load began"),
        ),
        Ok(Some(first)) => {
            let after = first.duration_since(began).as_secs_f64();
            let mut record = if after <= latest {
                ExpectationRecord::held(
                    KIND,
                    &about,
                    if after <= 0.0 {
                        format!("{about} was there when the load began")
                    } else {
                        format!("{about} appeared {after:.2}s after the load began, due by {latest:.2}s")
                    },
                )
            } else {
                ExpectationRecord::because(
                    KIND,
                    &about,
                    Reason::MetricLate,
                    format!("{about} appeared {after:.2}s after the load began, due by {latest:.2}s"),
                )
            };
            record.segments.push(Segment {
                name: "load to metric".to_owned(),
                // It may well have been there from the start of the service.
                earliest: after.min(0.0),
                latest,
                observed: Some(after),
                computed_from: format!("2·S with S={scrape}s, + {SLACK}s"),
            });
            record
        }
    }
}

#[cfg(test)]
mod tests {
    use firedrill_record::{Labels, Ledger, Verdict};
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::evidence::{Gathered, MetricProbe};

    fn judged(first: Gathered<Option<Timestamp>>) -> ExpectationRecord {
        let mut evidence = Evidence::begun(Timestamp::UNIX_EPOCH);
        evidence.ledger = Some(Ledger::empty(Timestamp::UNIX_EPOCH));
        evidence.metric_probes.push(MetricProbe { expectation: 3, first });
        let expectation = MetricExpectation { name: "websocket_connections".into(), labels: Labels::new() };
        judge(3, &expectation, Some(0.25), &evidence)
    }

    #[test]
    fn a_series_in_time_holds_a_late_or_absent_one_violates() {
        let after = |ms| Ok(Some(Timestamp::UNIX_EPOCH + SignedDuration::from_millis(ms)));
        assert_eq!(judged(after(400)).verdict, Verdict::Held);
        assert_eq!(judged(after(1600)).reason, Some(Reason::MetricLate));
        assert_eq!(judged(Ok(None)).reason, Some(Reason::MetricAbsent));
    }

    #[test]
    fn a_failed_query_is_inconclusive() {
        assert_eq!(judged(Err("timed out".into())).reason, Some(Reason::QueryFailed));
    }
}
