//! Values of PromQL expressions.

use serde::de::{self, IgnoredAny};
use serde::{Deserialize, Deserializer};

use crate::Labels;

/// The value of an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryValue {
    /// An instant vector: one sample a series.
    Vector(Vec<InstantSample>),
    /// A single number.
    Scalar(Sample),
    /// A range vector, or the result of a range query: many samples a series.
    Matrix(Vec<Series>),
    /// A string literal.
    String(String),
}

impl QueryValue {
    /// `vector`, `scalar`, `matrix` or `string`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Vector(_) => "vector",
            Self::Scalar(_) => "scalar",
            Self::Matrix(_) => "matrix",
            Self::String(_) => "string",
        }
    }
}

/// One series of an instant vector.
#[derive(Debug, Clone, PartialEq)]
pub struct InstantSample {
    /// The series.
    pub labels: Labels,
    /// Its sample; the timestamp is that of the evaluation.
    pub sample: Sample,
}

/// One series of a matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The series.
    pub labels: Labels,
    /// Its samples in the order of time. For raw ranges the timestamps are those of the scrapes.
    pub samples: Vec<Sample>,
}

/// A number at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The value; NaN and the infinities included.
    pub value: f64,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Written {
    Vector(Vec<WrittenInstant>),
    Scalar(Sample),
    Matrix(Vec<WrittenSeries>),
    String((f64, String)),
}

#[derive(Deserialize)]
struct WrittenInstant {
    metric: Labels,
    value: Option<Sample>,
    histogram: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct WrittenSeries {
    metric: Labels,
    values: Option<Vec<Sample>>,
    histograms: Option<IgnoredAny>,
}

impl<'de> Deserialize<'de> for QueryValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Vector(written) => {
                let read = |instant: WrittenInstant| {
                    let sample = numbers(instant.value, instant.histogram)?;
                    Ok(InstantSample { labels: instant.metric, sample })
                };
                written.into_iter().map(read).collect::<Result<_, D::Error>>().map(Self::Vector)
            }
            Written::Matrix(written) => {
                let read = |series: WrittenSeries| {
                    let samples = numbers(series.values, series.histograms)?;
                    Ok(Series { labels: series.metric, samples })
                };
                written.into_iter().map(read).collect::<Result<_, D::Error>>().map(Self::Matrix)
            }
            Written::Scalar(sample) => Ok(Self::Scalar(sample)),
            Written::String((_, text)) => Ok(Self::String(text)),
        }
    }
}

/// Native histograms are refused: dropping them would leave gaps that look like absent samples.
fn numbers<T, E: de::Error>(numbers: Option<T>, histograms: Option<IgnoredAny>) -> Result<T, E> {
    if histograms.is_some() {
        return Err(E::custom("native histograms are not read"));
    }
    numbers.ok_or_else(|| E::custom("a series without values"))
}

impl<'de> Deserialize<'de> for Sample {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (seconds, text) = <(f64, String)>::deserialize(deserializer)?;
        Ok(Self { timestamp_ms: milliseconds(seconds)?, value: value(&text)? })
    }
}

fn milliseconds<E: de::Error>(seconds: f64) -> Result<i64, E> {
    let rounded = (seconds * 1000.0).round();
    if !rounded.is_finite() || rounded.abs() >= 9e15 {
        return Err(E::custom(format!("{seconds} is not a timestamp")));
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number well inside i64, checked above")]
    let whole = rounded as i64;
    Ok(whole)
}

/// Values are strings, so that NaN and the infinities can be written.
fn value<E: de::Error>(text: &str) -> Result<f64, E> {
    text.parse().map_err(|_| E::custom(format!("`{text}` is not a value")))
}

/// Reads a value that is written as a string.
pub(super) fn value_string<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    value(&String::deserialize(deserializer)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_value_is_read() {
        let sample: Sample = serde_json::from_str("[1435781451.781,\"-Inf\"]").unwrap();
        assert_eq!(sample, Sample { timestamp_ms: 1_435_781_451_781, value: f64::NEG_INFINITY });
        let sample: Sample = serde_json::from_str("[1435781451,\"NaN\"]").unwrap();
        assert!(sample.value.is_nan());
        let sample: Sample = serde_json::from_str("[0,\"1e+00\"]").unwrap();
        assert_eq!(sample, Sample { timestamp_ms: 0, value: 1.0 });
    }

    #[test]
    fn a_value_that_is_a_number_or_no_number_is_refused() {
        for json in ["[0,1]", "[0,\"\"]", "[0,\"x\"]", "[0]", "[\"0\",\"1\"]", "[1e300,\"1\"]", "[0,\"1\",2]"]
        {
            assert!(serde_json::from_str::<Sample>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn series_with_native_histograms_are_refused() {
        let json = r#"{"resultType":"matrix","result":[{"metric":{},"values":[[0,"1"]],"histograms":[]}]}"#;
        assert!(serde_json::from_str::<QueryValue>(json).is_err());
        let json = r#"{"resultType":"vector","result":[{"metric":{},"histogram":[0,{}]}]}"#;
        assert!(serde_json::from_str::<QueryValue>(json).is_err());
    }

    #[test]
    fn a_string_is_read() {
        let json = r#"{"resultType":"string","result":[1.5,"text"]}"#;
        assert_eq!(serde_json::from_str::<QueryValue>(json).unwrap(), QueryValue::String("text".to_owned()));
    }
}
