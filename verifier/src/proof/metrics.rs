//! Bad metrics: the harness reads the service's `/metrics` itself.

use std::collections::BTreeSet;

use firedrill_drill::BadMetrics;
use firedrill_record::ServiceName;

use super::verdict::Span;
use crate::evidence::{MetricsFound, MetricsLook};

pub(super) fn proof(
    service: &ServiceName,
    how: BadMetrics,
    span: &Span,
    looks: &[MetricsLook],
) -> Result<String, String> {
    let own = || looks.iter().filter(|one| &one.service == service);
    let right = own().rfind(|one| one.at <= span.asked).map(|one| &one.found);
    let Some(MetricsFound::Routes(right)) = right.filter(|found| has_routes(found)) else {
        return Err(format!("the metrics of {service} were not seen to be right before the fault"));
    };
    let during: Vec<&MetricsFound> = own().filter(|one| span.holds(one.at)).map(|one| &one.found).collect();
    let wrong = during.iter().find(|found| is_wrong(how, found, right));
    let sentence =
        |what: &str| format!("{service}'s metrics, read {} times under the fault: {what}", during.len());
    match (wrong, during.last()) {
        (Some(wrong), _) => Ok(sentence(&described(wrong))),
        (None, Some(last)) => Err(sentence(&described(last))),
        (None, None) => Err(format!("the metrics of {service} were not read under the fault")),
    }
}

fn has_routes(found: &MetricsFound) -> bool {
    matches!(found, MetricsFound::Routes(routes) if !routes.is_empty())
}

fn is_wrong(how: BadMetrics, found: &MetricsFound, right: &BTreeSet<String>) -> bool {
    match (how, found) {
        (BadMetrics::Garbage, MetricsFound::Garbage(_)) => true,
        (BadMetrics::Missing, MetricsFound::Routes(routes)) => routes.is_empty(),
        // Routes may come with requests, and never go.
        (BadMetrics::WrongLabels, MetricsFound::Routes(routes)) => {
            !routes.is_empty() && !right.is_subset(routes) && !routes.is_subset(right)
        }
        (_, MetricsFound::Nothing(_))
        | (BadMetrics::Garbage, MetricsFound::Routes(_))
        | (BadMetrics::Missing | BadMetrics::WrongLabels, MetricsFound::Garbage(_)) => false,
    }
}

fn described(found: &MetricsFound) -> String {
    match found {
        MetricsFound::Nothing(why) => format!("no answer, {why}"),
        MetricsFound::Garbage(why) => format!("no exposition, {why}"),
        MetricsFound::Routes(routes) if routes.is_empty() => "no request metrics".to_owned(),
        MetricsFound::Routes(routes) => {
            let some: Vec<&str> = routes.iter().take(3).map(String::as_str).collect();
            format!("{} routes, {} among them", routes.len(), some.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use firedrill_drill::Fault;

    use super::*;
    use crate::checks::fixtures::{self, at};
    use crate::proof::{Unproved, of_effect};

    fn routes(names: &[&str]) -> MetricsFound {
        MetricsFound::Routes(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn proved(how: BadMetrics, before: MetricsFound, during: MetricsFound) -> Result<String, Unproved> {
        let mut evidence = fixtures::alert_evidence();
        let look = |ms, found| MetricsLook { at: at(ms), service: "user".parse().unwrap(), found };
        evidence.metrics_looks = vec![look(9_000, before), look(14_000, during)];
        let fault =
            Fault::BadMetrics { service: "user".parse().unwrap(), how, lasts: Duration::from_mins(8) };
        of_effect(&fault, &evidence.faults[0], &evidence)
    }

    #[test]
    fn each_way_of_being_wrong_is_proved_by_what_is_read() {
        let right = || routes(&["/users", "/users/{id}"]);
        let wrong = [
            (BadMetrics::Missing, routes(&[])),
            (BadMetrics::WrongLabels, routes(&["/resu"])),
            (BadMetrics::Garbage, MetricsFound::Garbage("line 1".into())),
        ];
        for (how, found) in &wrong {
            assert!(proved(*how, right(), found.clone()).is_ok(), "{how:?}");
            assert!(proved(*how, right(), right()).is_err(), "{how:?}");
            assert!(proved(*how, routes(&[]), found.clone()).is_err(), "{how:?}");
            assert!(proved(*how, right(), MetricsFound::Nothing("refused".into())).is_err(), "{how:?}");
            for (other, found) in &wrong {
                assert_eq!(proved(*how, right(), found.clone()).is_ok(), how == other, "{how:?} {other:?}");
            }
        }
    }
}
