//! What the load tests share: starting servers, reading what they use, and writing down what was found.
//!
//! Only this machine is ever loaded: every server that is started listens on the loopback.

pub mod api;
pub mod control_plane;
pub mod fleet;
pub mod outcome;
pub mod peer;
pub mod usage;

/// The middle one of some values; not a number when there are none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len() / 2, sorted.len() % 2) {
        (_, 0) if sorted.is_empty() => f64::NAN,
        (middle, 0) => f64::midpoint(sorted[middle - 1], sorted[middle]),
        (middle, _) => sorted[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert!(median(&[]).is_nan());
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
    }
}
