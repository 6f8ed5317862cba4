//! What an operator may set of the judge, each with a default that needs no tuning.

use serde::{Deserialize, Serialize};

/// The settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The false-rollback budget: how likely a healthy rollout may be called bad over its whole
    /// life. 0.0001 to 0.5.
    pub alpha: f64,
    /// How likely a canary whose errors are beyond `tolerance` may be called healthy. 0.0001 to 0.5.
    pub beta: f64,
    /// The length of a batch, in milliseconds of event time. 1000 to 600000.
    pub batch_ms: u64,
    /// How long a batch is kept open for late observations, in milliseconds. 0 to 60000.
    pub grace_ms: u64,
    /// When observations came late by more than `grace_ms`, batches are kept open as long as the
    /// latest of the last half hour needed, but no longer than this; in milliseconds. 0 to 300000.
    pub grace_ms_max: u64,
    /// What the canary may be worse by and still be no regression: 0.1 is 10 percent more errors.
    /// 0 to 10.
    pub margin: f64,
    /// The same for samples such as latencies: 0.08 is 8 percent slower. 0 to 10.
    pub sample_margin: f64,
    /// To be called healthy, the canary must have been shown to have less than this much more
    /// errors than the baseline, beyond `margin`: 0.5 is half as many again. 0.05 to 10.
    pub tolerance: f64,
    /// An error rate that is good enough whatever the baseline's. 0 to 1.
    pub tolerable: f64,
    /// An arm that said nothing for so long, while the other reports, is silent; in milliseconds.
    /// 5000 to 3600000.
    pub silence_ms: u64,
    /// With nothing heard from any arm for so long the verdict is blind; in milliseconds. 5000 to
    /// 3600000.
    pub blind_ms: u64,
    /// For streams without an arm: false alarms come on average at least so many batches apart.
    /// 100 to 1e9.
    pub run_length: f64,
    /// For streams without an arm: batches that are taken for healthy when nothing else is known.
    /// 5 to 10000.
    pub learning_batches: u64,
    /// For counts without an arm: the share of bad ones that is allowed, in place of history.
    pub bad_share_max: Option<f64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            alpha: 0.01,
            beta: 0.05,
            batch_ms: 5_000,
            grace_ms: 0,
            grace_ms_max: 0,
            margin: 0.0,
            sample_margin: 0.04,
            tolerance: 0.5,
            tolerable: 0.001,
            silence_ms: 30_000,
            blind_ms: 45_000,
            run_length: 1e5,
            learning_batches: 60,
            bad_share_max: None,
        }
    }
}

/// A setting out of its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{name} is {value}: it must be from {low} to {high}")]
pub struct SettingsError {
    name: &'static str,
    value: f64,
    low: f64,
    high: f64,
}

impl Settings {
    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// [`SettingsError`] names the first that is not.
    pub fn check(&self) -> Result<(), SettingsError> {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds in range are far below 2^53")]
        let ms = |value: u64| value as f64;
        let ranges = [
            ("alpha", self.alpha, 1e-4, 0.5),
            ("beta", self.beta, 1e-4, 0.5),
            ("batch_ms", ms(self.batch_ms), 1e3, 6e5),
            ("grace_ms", ms(self.grace_ms), 0.0, 6e4),
            ("grace_ms_max", ms(self.grace_ms_max), 0.0, 3e5),
            ("margin", self.margin, 0.0, 10.0),
            ("sample_margin", self.sample_margin, 0.0, 10.0),
            ("tolerance", self.tolerance, 0.05, 10.0),
            ("tolerable", self.tolerable, 0.0, 1.0),
            ("silence_ms", ms(self.silence_ms), 5e3, 3.6e6),
            ("blind_ms", ms(self.blind_ms), 5e3, 3.6e6),
            ("run_length", self.run_length, 100.0, 1e9),
            ("learning_batches", ms(self.learning_batches), 5.0, 1e4),
            ("bad_share_max", self.bad_share_max.unwrap_or(0.5), 1e-9, 1.0),
        ];
        for (name, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                return Err(SettingsError { name, value, low, high });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_out_of_its_range_is_named() {
        assert_eq!(Settings::default().check(), Ok(()));
        let check = |settings: Settings, expected: &str| {
            assert_eq!(settings.check().unwrap_err().to_string(), expected);
        };
        let default = Settings::default;
        check(Settings { alpha: 0.0, ..default() }, "alpha is 0: it must be from 0.0001 to 0.5");
        check(Settings { alpha: f64::NAN, ..default() }, "alpha is NaN: it must be from 0.0001 to 0.5");
        check(Settings { batch_ms: 1, ..default() }, "batch_ms is 1: it must be from 1000 to 600000");
    }
}
