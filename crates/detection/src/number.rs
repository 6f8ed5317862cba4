//! Counts and times as numbers, and numbers and times as words for people.
//!
//! Invariant: total on every input.

/// A count or a time in milliseconds as a number; exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts and times are far below 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// A share as per cent with as many digits as it takes: `0.2 %`, `12 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        // An objective: 99.9 % must not become 100 %.
        percent if percent > 99.0 && percent < 100.0 => {
            format!("{:.4}", percent).trim_end_matches('0').to_owned() + " %"
        }
        percent if percent.abs() >= 10.0 => format!("{percent:.0} %"),
        percent if percent.abs() >= 1.0 || percent == 0.0 => format!("{percent:.1} %"),
        percent if percent.abs() >= 0.01 => format!("{percent:.2} %"),
        percent => format!("{percent:.4} %"),
    }
}

/// A span of time: `40 s`, `12 min`, `2.5 h`, `3 d`.
pub(crate) fn span(millis: u64) -> String {
    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match millis {
        millis if millis < 2 * MINUTE => format!("{} s", millis / 1000),
        millis if millis < 2 * HOUR => format!("{} min", millis / MINUTE),
        millis if millis < 2 * DAY => format!("{:.1} h", float(millis) / float(HOUR)),
        millis => format!("{:.1} d", float(millis) / float(DAY)),
    }
}

/// How strong evidence is, of its logarithm: `×4.2`, `×1e9`.
pub(crate) fn times(ln_e: f64) -> String {
    const LARGE: f64 = 1e4;
    let value = ln_e.clamp(-700.0, 700.0).exp();
    if (0.01..LARGE).contains(&value) { format!("×{value:.2}") } else { format!("×{value:.0e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [0.0, 0.00002, 0.002, 0.012, 0.12].map(percent),
            ["0.0 %", "0.0020 %", "0.20 %", "1.2 %", "12 %"]
        );
        assert_eq!([40_000, 720_000, 9_000_000, 259_200_000].map(span), ["40 s", "12 min", "2.5 h", "3.0 d"]);
        assert_eq!([0.0, 20.0, f64::NEG_INFINITY].map(times), ["×1.00", "×5e8", "×1e-304"]);
    }
}
