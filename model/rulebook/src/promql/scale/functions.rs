//! What compressing time does to each function of PromQL, from Prometheus 2.42 to 3.x.
//!
//! A function that is not in this table is refused: nobody has thought about it.

/// What the result of a function follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    /// The values of one instant.
    Pointwise,
    /// The samples of a window, as they are: the same samples are there in both times.
    Samples,
    /// How far the samples of a window lie apart: for what grows with the load, that grows with the window.
    Spread,
    /// Only whether there are samples, or how many.
    Counted,
    /// The difference over a window or between two samples.
    Difference,
    /// A difference for each second.
    Rate,
    /// How often something happened to the samples of a window.
    Changes,
    /// The value at a horizon in seconds, its second argument.
    Prediction,
    /// The calendar of its argument, or of the evaluation when it has none.
    Calendar,
    /// The clock: of the evaluation or of a sample.
    Clock,
}

impl Function {
    /// The function of that name; `None` when it is not known here.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "abs"
            | "acos"
            | "acosh"
            | "asin"
            | "asinh"
            | "atan"
            | "atanh"
            | "ceil"
            | "clamp"
            | "clamp_max"
            | "clamp_min"
            | "cos"
            | "cosh"
            | "deg"
            | "exp"
            | "floor"
            | "histogram_avg"
            | "histogram_count"
            | "histogram_fraction"
            | "histogram_quantile"
            | "histogram_quantiles"
            | "histogram_stddev"
            | "histogram_stdvar"
            | "histogram_sum"
            | "info"
            | "label_join"
            | "label_replace"
            | "ln"
            | "log10"
            | "log2"
            | "max_of"
            | "min_of"
            | "pi"
            | "rad"
            | "round"
            | "scalar"
            | "sgn"
            | "sin"
            | "sinh"
            | "sort"
            | "sort_by_label"
            | "sort_by_label_desc"
            | "sort_desc"
            | "sqrt"
            | "tan"
            | "tanh"
            | "vector" => Self::Pointwise,
            "avg_over_time"
            | "double_exponential_smoothing"
            | "first_over_time"
            | "holt_winters"
            | "last_over_time"
            | "max_over_time"
            | "min_over_time"
            | "quantile_over_time"
            | "sum_over_time" => Self::Samples,
            "mad_over_time" | "stddev_over_time" | "stdvar_over_time" => Self::Spread,
            "absent" | "absent_over_time" | "count_over_time" | "present_over_time" => Self::Counted,
            "delta" | "idelta" | "increase" => Self::Difference,
            "deriv" | "irate" | "rate" => Self::Rate,
            "changes" | "resets" => Self::Changes,
            "predict_linear" => Self::Prediction,
            "day_of_month" | "day_of_week" | "day_of_year" | "days_in_month" | "hour" | "minute"
            | "month" | "year" => Self::Calendar,
            "end"
            | "range"
            | "start"
            | "start_timestamp"
            | "step"
            | "time"
            | "timestamp"
            | "ts_of_first_over_time"
            | "ts_of_last_over_time"
            | "ts_of_max_over_time"
            | "ts_of_min_over_time" => Self::Clock,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Function;

    /// <https://prometheus.io/docs/prometheus/2.42/querying/functions/>
    const OF_2_42: &str = "abs absent absent_over_time acos acosh asin asinh atan atanh avg_over_time ceil changes \
        clamp clamp_max clamp_min cos cosh count_over_time day_of_month day_of_week day_of_year days_in_month deg \
        delta deriv exp floor histogram_count histogram_fraction histogram_quantile histogram_sum holt_winters hour \
        idelta increase irate label_join label_replace last_over_time ln log10 log2 max_over_time min_over_time \
        minute month pi predict_linear present_over_time quantile_over_time rad rate resets round scalar sgn sin \
        sinh sort sort_desc sqrt stddev_over_time stdvar_over_time sum_over_time tan tanh time timestamp vector year";
    /// What came after, up to 3.x.
    const NEWER: &str = "double_exponential_smoothing first_over_time histogram_avg histogram_stddev \
        histogram_stdvar info mad_over_time sort_by_label sort_by_label_desc ts_of_first_over_time \
        ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time";

    #[test]
    fn every_function_of_prometheus_is_in_the_table() {
        let unknown: Vec<_> = OF_2_42
            .split_whitespace()
            .chain(NEWER.split_whitespace())
            .filter(|name| Function::of(name).is_none())
            .collect();
        assert_eq!(unknown, [""; 0]);
        assert_eq!(Function::of("xrate"), None);
    }
}
