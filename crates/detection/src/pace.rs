//! The judge's settings for versions that report as slowly as they do.

use crate::judge::Settings;

/// A batch is kept open so long for a slow sender, milliseconds: what a pod that gathers its reports
/// for a minute needs. Whoever is slower is heard, and cannot be compared.
const LATE_MS_MAX: u64 = 60_000;
/// So many of its intervals must fit into a silence that says something.
pub(crate) const SILENT_INTERVALS: u64 = 2;
/// So many of its intervals without a word make it blind.
const BLIND_INTERVALS: u64 = 3;
/// The longest silence and blindness that the judge takes, milliseconds.
const SILENT_MS_MAX: u64 = 3_600_000;
/// Lengths of a batch, milliseconds: the first that is no shorter than the interval, or not by much,
/// so that both versions report in it.
const BATCHES_MS: [u64; 8] = [10_000, 15_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000];

/// What is `set`, stretched where the slower version reports every `interval_ms` only.
pub(crate) fn settings(set: &Settings, interval_ms: u64) -> Settings {
    let at_least = |ms: u64, intervals: u64| ms.max(interval_ms.saturating_mul(intervals)).min(SILENT_MS_MAX);
    Settings {
        batch_ms: batch_ms(set.batch_ms, interval_ms),
        grace_ms_max: LATE_MS_MAX,
        silence_ms: at_least(set.silence_ms, SILENT_INTERVALS),
        blind_ms: at_least(set.blind_ms, BLIND_INTERVALS),
        ..set.clone()
    }
}

fn batch_ms(set: u64, interval_ms: u64) -> u64 {
    let fits = |batch_ms: &u64| interval_ms <= *batch_ms + *batch_ms / 10;
    let longer = || BATCHES_MS.into_iter().filter(|batch_ms| *batch_ms > set);
    let fitting = std::iter::once(set).chain(longer()).find(fits);
    fitting.or_else(|| longer().next_back()).unwrap_or(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_senders_stretch_what_is_set_and_quick_ones_change_nothing() {
        let check = |interval_s: u64, batch_s: u64, silence_s: u64, blind_s: u64| {
            let paced = settings(&Settings::default(), interval_s * 1000);
            let got = (paced.batch_ms, paced.silence_ms, paced.blind_ms);
            assert_eq!(got, (batch_s * 1000, silence_s * 1000, blind_s * 1000), "{interval_s}");
            assert_eq!(paced.check(), Ok(()));
        };
        check(0, 5, 30, 45);
        check(5, 5, 30, 45);
        check(6, 10, 30, 45);
        check(16, 15, 32, 48);
        check(61, 60, 122, 183);
        check(300, 300, 600, 900);
        check(86_400, 600, 3600, 3600);
        let set = Settings { batch_ms: 600_000, ..Settings::default() };
        assert_eq!(settings(&set, 86_400_000).batch_ms, 600_000);
    }
}
