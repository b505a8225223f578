//! Whether so many events fall into a rule's window that what is measured over it is no matter of chance.

/// A ratio must be so many standard deviations away from its threshold.
const SIGMAS: f64 = 5.0;

/// So many events must lie beyond a quantile.
const BEYOND_A_QUANTILE: f64 = 10.0;

/// Why `events`, of which the share `ratio` is counted, do not tell it from `threshold`: they must be five standard
/// deviations apart, σ² = e(1−e)/n. None when they do.
pub(crate) fn too_few_for_a_ratio(events: f64, ratio: f64, threshold: f64) -> Option<String> {
    let sigma = (ratio * (1.0 - ratio) / events.max(1.0)).max(0.0).sqrt();
    let distance = (ratio - threshold).abs();
    (events < 1.0 || distance < SIGMAS * sigma).then(|| {
        format!(
            "{events:.0} requests fall into the window: the ratio {ratio:.4} is {distance:.4} from the threshold, 5σ are {:.4}",
            SIGMAS * sigma
        )
    })
}

/// Why `events` do not tell the quantile `quantile`: ten must lie beyond it, n ≥ 10/(1−q). None when they do.
pub(crate) fn too_few_for_a_quantile(events: f64, quantile: f64) -> Option<String> {
    let beyond = (1.0 - quantile).max(0.0);
    // One event in a million is room for binary fractions: 10/(1 − 0.95) is a little more than 200.
    (events * beyond < BEYOND_A_QUANTILE * (1.0 - 1e-6)).then(|| {
        format!(
            "{events:.0} requests fall into the window, the quantile {quantile} needs 10/(1−q) = {:.0}",
            BEYOND_A_QUANTILE / beyond
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_needs_five_standard_deviations_to_its_threshold() {
        // 30 % of 100: σ = √(0.21/100) = 0.0458, 5σ = 0.229 < 0.25. Of 50: 5σ = 0.324.
        assert_eq!(too_few_for_a_ratio(100.0, 0.3, 0.05), None);
        assert!(too_few_for_a_ratio(50.0, 0.3, 0.05).is_some());
        assert!(too_few_for_a_ratio(0.0, 0.0, 0.05).is_some());
    }

    #[test]
    fn a_quantile_needs_ten_events_beyond_it() {
        assert_eq!(too_few_for_a_quantile(200.0, 0.95), None);
        assert!(too_few_for_a_quantile(199.0, 0.95).is_some());
        assert_eq!(too_few_for_a_quantile(1000.0, 0.99), None);
        assert!(too_few_for_a_quantile(1e9, 1.0).is_some());
    }
}
