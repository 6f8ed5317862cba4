//! The Mann–Whitney test as two peers use it: an exact or normal p-value (PipeCD), and a confidence
//! interval of the shift by the normal approximation (Kayenta, after R's `wilcox.test`).

use std::cmp::Ordering;

/// Which difference counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alternative {
    /// The first sample is smaller.
    Less,
    /// Any.
    Differs,
    /// The first sample is larger.
    Greater,
}

/// Up to so many values in each sample the distribution is exact, without and with ties.
const EXACT_MAX: usize = 50;
const EXACT_TIES_MAX: usize = 25;

/// Pairs in which the first sample's value is larger, ties counting a half.
pub fn u(first: &[f64], second: &[f64]) -> f64 {
    let against = |x: f64| -> f64 {
        let worth = |y: &f64| match x.total_cmp(y) {
            Ordering::Greater => 1.0,
            Ordering::Equal => 0.5,
            Ordering::Less => 0.0,
        };
        second.iter().map(worth).sum()
    };
    first.iter().map(|x| against(*x)).sum()
}

/// The p-value; `None` when a sample is empty or all values are equal.
pub fn p_value(first: &[f64], second: &[f64], alternative: Alternative) -> Option<f64> {
    let ties = ties(first, second);
    if first.is_empty() || second.is_empty() || ties.len() < 2 {
        return None;
    }
    let tied = ties.iter().any(|tie| *tie > 1);
    let limit = if tied { EXACT_TIES_MAX } else { EXACT_MAX };
    if first.len() <= limit && second.len() <= limit {
        return Some(exact(first.len(), second.len(), &ties, u(first, second), alternative));
    }
    Some(normal(first, second, &ties, alternative))
}

/// How many values are equal, for each value in order.
fn ties(first: &[f64], second: &[f64]) -> Vec<usize> {
    let mut all: Vec<f64> = first.iter().chain(second).copied().collect();
    all.sort_by(f64::total_cmp);
    all.chunk_by(|a, b| a == b).map(<[f64]>::len).collect()
}

/// How many of all ways to choose the first sample give which U, by twice U.
fn distribution(first: usize, second: usize, ties: &[usize]) -> Vec<f64> {
    let width = 2 * first * second + 1;
    // ways[chosen][2U]: U grows by the second sample's values passed so far.
    let mut ways = vec![vec![0.0; width]; first + 1];
    ways[0][0] = 1.0;
    let mut passed = 0;
    for tie in ties {
        let mut next = vec![vec![0.0; width]; first + 1];
        for chosen in 0..=first.min(passed) {
            for take in 0..=(*tie).min(first - chosen) {
                let below = passed - chosen;
                let gain = 2 * take * below + take * (tie - take);
                let choices = binomial(*tie, take);
                for (twice, count) in ways[chosen].iter().enumerate().filter(|(_, count)| **count > 0.0) {
                    if let Some(cell) = next[chosen + take].get_mut(twice + gain) {
                        *cell += count * choices;
                    }
                }
            }
        }
        ways = next;
        passed += tie;
    }
    ways.swap_remove(first)
}

fn binomial(n: usize, k: usize) -> f64 {
    (0..k).map(|index| (n - index) as f64 / (index + 1) as f64).product()
}

fn exact(first: usize, second: usize, ties: &[usize], u: f64, alternative: Alternative) -> f64 {
    let ways = distribution(first, second, ties);
    let all: f64 = ways.iter().sum();
    let up_to = |u: f64| -> f64 {
        let below = ways.iter().enumerate().filter(|(twice, _)| *twice as f64 <= 2.0 * u);
        below.map(|(_, count)| count).sum::<f64>() / all
    };
    let other = (first * second) as f64 - u;
    match alternative {
        Alternative::Less => up_to(u),
        Alternative::Greater => 1.0 - up_to(u - 1.0),
        Alternative::Differs if u == other => 1.0,
        Alternative::Differs => 2.0 * up_to(u.min(other)),
    }
}

fn normal(first: &[f64], second: &[f64], ties: &[usize], alternative: Alternative) -> f64 {
    let off = u(first, second) - (first.len() * second.len()) as f64 / 2.0;
    let sd = sd(first.len(), second.len(), ties);
    let below = |off: f64| 0.5 * libm::erfc(-off / sd / std::f64::consts::SQRT_2);
    match alternative {
        Alternative::Less => below(off + 0.5),
        Alternative::Greater => 1.0 - below(off - 0.5),
        Alternative::Differs => {
            let below = below(off - off.signum() * if off == 0.0 { 0.0 } else { 0.5 });
            2.0 * below.min(1.0 - below)
        }
    }
}

fn sd(first: usize, second: usize, ties: &[usize]) -> f64 {
    let (pairs, all) = ((first * second) as f64, (first + second) as f64);
    let tied: f64 = ties.iter().map(|tie| (tie * tie * tie - tie) as f64).sum();
    libm::sqrt(pairs / 12.0 * (all + 1.0 - tied / (all * (all - 1.0))))
}

/// The standardised statistic when the first sample is shifted down by `shift`, with continuity
/// correction; 0 when all values are equal.
fn z(first: &[f64], second: &[f64], shift: f64) -> f64 {
    let shifted: Vec<f64> = first.iter().map(|value| value - shift).collect();
    let off = u(&shifted, second) - (first.len() * second.len()) as f64 / 2.0;
    let correction = if off == 0.0 { 0.0 } else { off.signum() * 0.5 };
    let sd = sd(first.len(), second.len(), &ties(&shifted, second));
    if sd > 0.0 { (off - correction) / sd } else { 0.0 }
}

/// The shift of the first sample over the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The Hodges–Lehmann estimate.
    pub estimate: f64,
}

/// How exactly ends and estimate are found, in units of the values; 1e-4 in R and in Kayenta.
const SHIFT_TOLERANCE: f64 = 1e-4;

/// The interval whose ends have the statistic `quantile` and `-quantile`.
pub fn shift(first: &[f64], second: &[f64], quantile: f64) -> Shift {
    let at = |target: f64| root(first, second, target);
    Shift { low: at(quantile), high: at(-quantile), estimate: at(0.0) }
}

/// Whether the lower end of the interval is above 0, which costs one evaluation.
pub fn clearly_above(first: &[f64], second: &[f64], quantile: f64) -> bool {
    z(first, second, 0.0) > quantile
}

/// Where the statistic falls through `target`.
fn root(first: &[f64], second: &[f64], target: f64) -> f64 {
    let bounds = |values: &[f64]| {
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(*x), high.max(*x)))
    };
    let ((low_1, high_1), (low_2, high_2)) = (bounds(first), bounds(second));
    let (mut low, mut high) = (low_1 - high_2, high_1 - low_2);
    if z(first, second, low) <= target {
        return low;
    }
    if z(first, second, high) >= target {
        return high;
    }
    // Relative, so that rates below the tolerance are told apart as well.
    let tolerance = SHIFT_TOLERANCE.min(1e-6 * (high - low));
    while high - low > tolerance {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if z(first, second, middle) > target { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of PipeCD's own tests (`mannwhitney_test.go`), which was held against R.
    #[test]
    fn p_values_are_those_that_pipecd_publishes() {
        let check = |first: &[f64], second: &[f64], expected_u: f64, expected: [f64; 3]| {
            assert_eq!(u(first, second), expected_u);
            let all = [Alternative::Less, Alternative::Differs, Alternative::Greater];
            for (alternative, expected) in all.into_iter().zip(expected) {
                let seen = p_value(first, second, alternative).unwrap_or(f64::NAN);
                assert!((seen - expected).abs() < 1e-9, "{alternative:?}: {seen} instead of {expected}");
            }
        };
        let (s1, s2) = ([2.0, 1.0, 3.0, 5.0], [12.0, 11.0, 13.0, 15.0]);
        let (s3, s4, s5) = ([0.0, 4.0, 6.0, 7.0], [2.0; 4], [1.0; 5]);
        check(&s1, &s2, 0.0, [0.014_285_714_285_714_289, 0.028_571_428_571_428_577, 1.0]);
        check(&s2, &s1, 16.0, [1.0, 0.028_571_428_571_428_577, 0.014_285_714_285_714_289]);
        check(&s1, &s3, 5.0, [0.242_857_142_857_142_88, 0.485_714_285_714_285_8, 0.828_571_428_571_428_5]);
        check(&s1, &s1, 8.0, [0.628_571_428_571_428_6, 1.0, 0.628_571_428_571_428_6]);
        check(&s1, &s4, 10.0, [0.857_142_857_142_857_1, 0.714_285_714_285_714_3, 0.357_142_857_142_857_1]);
        check(&s1, &s5, 17.5, [1.0, 0.0, 0.047_619_047_619_047_67]);
        assert_eq!(p_value(&s4, &s4, Alternative::Differs), None);
        let l1: Vec<f64> = (0..500).map(|i| f64::from(i * 2)).collect();
        let l2: Vec<f64> = (0..600).map(|i| f64::from(i * 2 - 41)).collect();
        let l3: Vec<f64> = l1.iter().take(30).chain(l2.iter().skip(30)).copied().collect();
        check(
            &l1,
            &l2,
            135_250.0,
            [0.002_466_768_040_708_611_2, 0.004_933_536_081_417_222_4, 0.997_534_693_045_890_6],
        );
        check(&l1, &l1, 125_000.0, [0.500_043_680_168_062_8, 1.0, 0.500_043_680_168_062_8]);
        check(
            &l1,
            &l3,
            134_845.0,
            [0.001_935_190_711_980_894_2, 0.003_870_381_423_961_788_4, 0.998_065_981_825_716_6],
        );
    }

    /// spinnaker/spinnaker#6278 prints what Kayenta computes for this: 6.825e-5, 99.0, 98.99993.
    #[test]
    fn the_interval_is_the_one_that_kayenta_prints() {
        let canary = [100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 1.0, 1.0, 1.0];
        let shift = shift(&canary, &[1.0; 10], 2.326_347_874_040_841);
        assert!((shift.low - 6.825_022_991_538_781e-5).abs() < 2.0 * SHIFT_TOLERANCE, "{shift:?}");
        assert!((shift.high - 99.0).abs() < 2.0 * SHIFT_TOLERANCE, "{shift:?}");
        assert!((shift.estimate - 98.999_929_041_701_93).abs() < 2.0 * SHIFT_TOLERANCE, "{shift:?}");
    }
}
