//! Floats are finite: the one place that says what that means.
//!
//! Makers of values call [`finite`] and handle the error. The conversions between the generated
//! types and their JSON form call [`saturated`], so that no form can hold a number JSON lacks.

use thiserror::Error;

/// A float that is not a number or infinite, where only finite ones are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("{0} is not a finite number")]
pub struct NotFinite(pub f64);

/// The value, if it is finite.
///
/// # Errors
/// [`NotFinite`] for NaN and the infinities.
pub fn finite(value: f64) -> Result<f64, NotFinite> {
    if value.is_finite() { Ok(value) } else { Err(NotFinite(value)) }
}

/// The value, or the nearest finite one: the largest for an infinity, 0 for NaN.
pub fn saturated(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(f64::MIN, f64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finite_numbers_pass() {
        assert_eq!(finite(-0.5), Ok(-0.5));
        assert_eq!(finite(f64::MAX), Ok(f64::MAX));
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(finite(value).is_err(), "{value} passed");
        }
    }

    #[test]
    fn saturation_ends_at_the_nearest_finite_number() {
        assert_eq!(saturated(1.5), 1.5);
        assert_eq!(saturated(f64::INFINITY), f64::MAX);
        assert_eq!(saturated(f64::NEG_INFINITY), f64::MIN);
        assert_eq!(saturated(f64::NAN), 0.0);
    }
}
