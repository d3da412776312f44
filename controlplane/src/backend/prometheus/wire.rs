//! The messages of Prometheus's remote write, version 1: `prometheus.WriteRequest` as far as samples need it.

use prost::Message;

/// Samples.
#[derive(Clone, PartialEq, Message)]
pub struct WriteRequest {
    /// By series.
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
}

/// Samples of one series.
#[derive(Clone, PartialEq, Message)]
pub struct TimeSeries {
    /// In the order of their names; the metric's own is `__name__`.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// Oldest first.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
}

/// Tells a series apart.
#[derive(Clone, PartialEq, Message)]
pub struct Label {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// A value at a time.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Sample {
    /// The value.
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
}

impl TimeSeries {
    /// One sample of the series with these labels, which must be in the order of their names.
    #[must_use]
    pub fn one(labels: &[(&str, &str)], value: f64, at_ms: i64) -> Self {
        let label = |(name, value): &(&str, &str)| Label { name: (*name).to_owned(), value: (*value).to_owned() };
        Self { labels: labels.iter().map(label).collect(), samples: vec![Sample { value, timestamp: at_ms }] }
    }
}
