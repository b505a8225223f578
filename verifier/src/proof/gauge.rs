//! A synthetic gauge: the exporter's own notes of what Prometheus scraped.

use firedrill_drill::Fault;

use super::verdict::Span;
use crate::evidence::GaugeScrape;

/// The gauge must have been scraped without the value before, and with it after it was set.
pub(super) fn proof(name: &str, value: f64, span: &Span, scrapes: &[GaugeScrape]) -> Result<String, String> {
    let metric = format!("the synthetic {}{{gauge=\"{name}\"}}", Fault::GAUGE_METRIC);
    #[expect(clippy::float_cmp, reason = "the exporter's note is the very number that was asked for")]
    let with_value = |one: &GaugeScrape| one.value == value;
    let own = || scrapes.iter().filter(|one| one.gauge == name);
    match own().rfind(|one| one.at < span.asked) {
        None => return Err(format!("{metric} was not scraped before it was set")),
        Some(before) if with_value(before) => {
            return Err(format!("{metric} was {value} before it was set"));
        }
        Some(_) => {}
    }
    // Between the order and its being carried out a scrape may still come.
    let after = own().skip_while(|one| one.at < span.asked || (one.at <= span.injected && !with_value(one)));
    let during: Vec<&GaugeScrape> = after.take_while(|one| with_value(one)).collect();
    let (Some(first), Some(last)) = (during.first(), during.last()) else {
        return Err(format!("{metric} was never scraped with the value {value}"));
    };
    let seconds = last.at.duration_since(first.at).as_secs_f64();
    let count = during.len();
    let so_far = format!(
        "{metric} was scraped {count} times with the value {value}, first at {}, last {seconds:.3} s later",
        first.at
    );
    match own().find(|one| one.at > last.at) {
        Some(next) => {
            let seen = next.at.duration_since(first.at).as_secs_f64();
            Ok(format!("{so_far}, and after {seen:.3} s with the value {}", next.value))
        }
        None => Ok(so_far),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::checks::fixtures::{self, at};
    use crate::proof::{Unproved, of_effect};

    /// The fault lasts from 10 s to 18 s.
    fn proved(scrapes: &[(i64, &str, f64)]) -> Result<String, Unproved> {
        let mut evidence = fixtures::alert_evidence();
        evidence.gauge_scrapes = scrapes
            .iter()
            .map(|(ms, gauge, value)| GaugeScrape { at: at(*ms), gauge: (*gauge).to_owned(), value: *value })
            .collect();
        let fault = Fault::Gauge { name: "depth".to_owned(), value: 2.5, lasts: Duration::from_mins(8) };
        of_effect(&fault, &evidence.faults[0], &evidence)
    }

    #[test]
    fn scrapes_with_the_value_prove_it_and_say_for_how_long_by_the_exporters_clock() {
        let scrapes =
            [(9_750, "depth", 0.0), (10_001, "depth", 2.5), (17_750, "depth", 2.5), (18_000, "depth", 0.0)];
        let proof = proved(&scrapes).unwrap();
        assert!(proof.contains("scraped 2 times with the value 2.5"), "{proof}");
        assert!(proof.ends_with("last 7.749 s later, and after 7.999 s with the value 0"), "{proof}");
        assert!(proved(&scrapes[..2]).unwrap().ends_with("last 0.000 s later"));
    }

    #[test]
    fn a_scrape_between_the_order_and_its_being_carried_out_is_none_of_the_gauge() {
        let scrapes =
            [(9_750, "depth", 0.0), (10_001, "depth", 0.0), (10_250, "depth", 2.5), (10_500, "depth", 2.5)];
        assert!(proved(&scrapes).unwrap().contains("scraped 2 times with the value 2.5"));
        // Once it was set, a scrape without it means that it was not.
        assert!(proved(&[(9_750, "depth", 0.0), (10_250, "depth", 0.0), (10_500, "depth", 2.5)]).is_err());
    }

    #[test]
    fn a_gauge_that_was_not_seen_with_its_value_or_had_it_before_proves_nothing() {
        for scrapes in [
            &[] as &[_],
            &[(10_500, "depth", 2.5)],
            &[(9_750, "depth", 2.5), (10_500, "depth", 2.5)],
            &[(9_750, "depth", 0.0), (10_500, "depth", 0.0)],
            &[(9_750, "depth", 0.0), (10_500, "other", 2.5)],
        ] {
            assert!(proved(scrapes).is_err(), "{scrapes:?}");
        }
    }
}
