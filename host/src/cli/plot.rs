//! A plot as lines of a terminal: both versions on one scale, and the evidence.
//!
//! Does not: draw more than is there; a point is one character.

use homeostat_schema::wire::{Plot, PlotPoint};

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The lines, oldest point on the left; none for a plot without points.
pub(super) fn lines(plot: &Plot) -> Vec<String> {
    let Some(last) = plot.points.last() else { return Vec::new() };
    let values = |of: fn(&PlotPoint) -> f64| plot.points.iter().map(of).collect::<Vec<_>>();
    let (canary, baseline) = (values(|point| point.canary), values(|point| point.baseline));
    let most = canary.iter().chain(&baseline).copied().fold(0.0, f64::max);
    // Evidence grows by factors; below 1 there is none.
    let log = |value: f64| value.max(1.0).ln();
    let evidence: Vec<f64> = plot.points.iter().map(|point| log(point.statistic)).collect();
    let arm = |name: &str, bars: &[f64], now: f64| {
        let label = format!("{} {name}", plot.metric);
        format!("{label:<20} {} {}", sparkline(bars, most), plot.shown(now))
    };
    vec![
        arm("new version", &canary, last.canary),
        arm("old version", &baseline, last.baseline),
        format!(
            "{:<20} {} {} (bad at {})",
            "evidence",
            sparkline(&evidence, log(plot.bound)),
            Plot::evidence_shown(last.statistic),
            Plot::evidence_shown(plot.bound)
        ),
    ]
}

/// From nothing to the most there may be; what is beyond it is as high as it.
fn sparkline(values: &[f64], most: f64) -> String {
    let bar = |value: &f64| {
        let part = if most > 0.0 { (value / most).clamp(0.0, 1.0) } else { 0.0 };
        let reached = |(step, _): &(u8, char)| part * 7.0 + 0.5 >= f64::from(*step);
        (0_u8..).zip(BARS).take_while(reached).last().map_or(' ', |(_, bar)| bar)
    };
    values.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(canary: f64, statistic: f64) -> PlotPoint {
        PlotPoint { at: 0, baseline: 0.01, baseline_samples: 450, canary, canary_samples: 50, statistic }
    }

    #[test]
    fn both_versions_are_on_one_scale_and_the_evidence_is_held_against_its_bound() {
        let points = vec![point(0.01, 0.5), point(0.02, 10.0), point(0.02, 231.5)];
        let plot = Plot { metric: "errors".to_owned(), unit: "1".to_owned(), bound: 100.0, points };
        assert_eq!(
            lines(&plot),
            [
                "errors new version   ▅██ 2.00 %",
                "errors old version   ▅▅▅ 1.00 %",
                "evidence             ▁▅█ 232 (bad at 100)",
            ]
        );
        assert_eq!(lines(&Plot { points: Vec::new(), ..plot }), [""; 0]);
    }

    #[test]
    fn a_line_of_nothing_is_flat() {
        assert_eq!(sparkline(&[0.0, 0.0], 0.0), "▁▁");
        assert_eq!(sparkline(&[f64::MAX, -1.0], 1.0), "█▁");
    }
}
