//! What the load tests share: starting servers, reading what they use, and writing down what was found.
//!
//! Only this machine is ever loaded: every server that is started listens on the loopback.

pub mod api;
pub mod control_plane;
pub mod fleet;
pub mod outcome;
pub mod peer;
pub mod usage;

use std::net::SocketAddr;

/// An address on the command line.
///
/// # Errors
/// When it is none, or not of the loopback.
pub fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "it looks like 127.0.0.1:8443".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("only this machine may be loaded: name a loopback address".to_owned())
    }
}

/// The middle one of those values that are numbers; not a number when there are none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.iter().copied().filter(|value| !value.is_nan()).collect::<Vec<_>>();
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
        assert!((median(&[f64::NAN, 3.0]) - 3.0).abs() < f64::EPSILON);
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
    }
}
