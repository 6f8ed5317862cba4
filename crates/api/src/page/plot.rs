//! How a comparison went, drawn: both versions on one scale, and the evidence below them.
//!
//! What this does not do: load a library for two lines; the dashboard to come may.
//!
//! Invariant: only numbers and our own words reach the drawing, but for the metric's name, which is
//! escaped.

use std::fmt::Write as _;

use homeostat_schema::time;
use homeostat_schema::wire::{Plot, PlotPoint};

use super::escaped;

const WIDTH: f64 = 640.0;
/// Of the upper part, in which the versions are, and of the lower one.
const UPPER: f64 = 120.0;
const LOWER: f64 = 60.0;
/// Between the parts, and around them.
const GAP: f64 = 24.0;
/// What stands to the right of the lines.
const LEGEND: f64 = 170.0;

/// The drawing; none of fewer than two points.
pub(super) fn svg(plot: &Plot) -> Option<String> {
    let (first, last) = (plot.points.first()?, plot.points.last()?);
    let most = plot.points.iter().flat_map(|point| [point.canary, point.baseline]).fold(0.0, f64::max);
    if plot.points.len() < 2 || most <= 0.0 || !most.is_finite() {
        return None;
    }
    // Evidence grows by factors; below 1 there is none.
    let log = |value: f64| value.max(1.0).ln();
    let top = log(plot.bound).max(log(last.statistic)).max(1.0);
    let metric = escaped(&plot.metric);
    let mut svg = String::new();
    let height = UPPER + LOWER + 3.0 * GAP;
    // Writing to a String cannot fail.
    let _ = write!(
        svg,
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\"><title>{metric} of both versions, and the evidence \
         that the new one is worse, from {} to {}</title>",
        time::display(first.at),
        time::display(last.at)
    );
    let upper = |value: f64| GAP + UPPER * (1.0 - value / most);
    let floor = 2.0 * GAP + UPPER + LOWER;
    let lower = |value: f64| floor - LOWER * (log(value) / top).min(1.0);
    curve(&mut svg, plot, "old", |point| upper(point.baseline));
    curve(&mut svg, plot, "new", |point| upper(point.canary));
    curve(&mut svg, plot, "evidence", |point| lower(point.statistic));
    let bound = lower(plot.bound);
    let _ = write!(
        svg,
        "<line class=\"bound\" x1=\"0\" y1=\"{bound:.1}\" x2=\"{:.1}\" y2=\"{bound:.1}\"/>",
        WIDTH - LEGEND
    );
    let of_new = ("new", upper(last.canary), format!("new version {}", plot.shown(last.canary)));
    let of_old = ("old", upper(last.baseline), format!("old version {}", plot.shown(last.baseline)));
    let evidence =
        ("evidence", lower(last.statistic), format!("evidence {}", Plot::evidence_shown(last.statistic)));
    labels(&mut svg, [of_new, of_old]);
    labels(&mut svg, [("bound", bound, format!("bad at {}", Plot::evidence_shown(plot.bound))), evidence]);
    let _ = write!(svg, "<text x=\"0\" y=\"14\">{metric}</text></svg>");
    Some(svg)
}

fn curve(svg: &mut String, plot: &Plot, class: &str, y: impl Fn(&PlotPoint) -> f64) {
    let begin = plot.points.first().map_or(0, |point| point.at);
    let lasted = plot.points.last().map_or(1, |point| point.at.saturating_sub(begin)).max(1);
    let points = plot.points.iter().map(|point| {
        let part = ratio(point.at.saturating_sub(begin), lasted);
        format!("{:.1},{:.1}", (WIDTH - LEGEND) * part, y(point))
    });
    let points: Vec<String> = points.collect();
    let _ = write!(svg, "<polyline class=\"{class}\" points=\"{}\"/>", points.join(" "));
}

/// Labels at the ends of the two lines of a part, above the upper one and below the lower one, so that
/// they never touch.
fn labels(svg: &mut String, mut two: [(&str, f64, String); 2]) {
    two.sort_by(|a, b| a.1.total_cmp(&b.1));
    for ((class, y, text), shift) in two.iter().zip([-4.0, 12.0]) {
        let (x, y) = (WIDTH - LEGEND + 8.0, y + shift);
        let _ = write!(svg, "<text class=\"{class}\" x=\"{x}\" y=\"{y:.1}\">{}</text>", escaped(text));
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of one rollout are far below 2^53")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: &[(u64, f64, f64)]) -> Plot {
        let point = |(at, canary, statistic): &(u64, f64, f64)| PlotPoint {
            at: *at,
            baseline: 0.01,
            baseline_samples: 100,
            canary: *canary,
            canary_samples: 10,
            statistic: *statistic,
        };
        let points = points.iter().map(point).collect();
        Plot { metric: "a<b".to_owned(), unit: "1".to_owned(), bound: 100.0, points }
    }

    #[test]
    fn lines_go_from_the_first_point_to_the_last_and_stay_inside() {
        let svg = svg(&plot(&[(0, 0.01, 1.0), (1_000, 0.02, 10.0), (4_000, 0.04, 1e9)])).expect("a drawing");
        assert!(
            svg.contains("<polyline class=\"new\" points=\"0.0,114.0 117.5,84.0 470.0,24.0\"/>"),
            "{svg}"
        );
        assert!(svg.contains("<polyline class=\"evidence\" points=\"0.0,228.0"), "{svg}");
        assert!(svg.contains("new version 4.00 %") && svg.contains("bad at 100"), "{svg}");
        assert!(svg.contains("a&lt;b") && !svg.contains("a<b"), "{svg}");
    }

    #[test]
    fn there_is_nothing_to_draw_of_one_point_or_of_nothing() {
        assert_eq!(svg(&plot(&[])), None);
        assert_eq!(svg(&plot(&[(0, 0.1, 1.0)])), None);
        let mut flat = plot(&[(0, 0.0, 1.0), (1, 0.0, 1.0)]);
        flat.points.iter_mut().for_each(|point| point.baseline = 0.0);
        assert_eq!(svg(&flat), None);
        let odd = plot(&[(0, f64::INFINITY, 1.0), (1, 0.0, 1.0)]);
        assert_eq!(svg(&odd), None);
    }
}
