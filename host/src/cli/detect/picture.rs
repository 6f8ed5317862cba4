//! The picture: a series above, its scores below, anomalies marked in both.
//!
//! Does not: hold the series; rows are gathered into columns of the picture, and columns are
//! joined two by two when there are too many.
//! Invariant: at most [`COLUMNS_MAX`] columns, whatever the length of the series.

use homeostat_detection::series::{Judged, Verdict};
use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::row::Row;

/// A column for each pixel of the width, about; joined when there are twice as many.
const COLUMNS_MAX: usize = 2_000;
/// Values are drawn at most this far from 0, so that their difference is finite.
const VALUE_MAX: f64 = 1e150;
/// The axis is at least this share of the values wide, so that it has marks.
const FINEST: f64 = 1e-6;
const SIZE: (u32, u32) = (1_000, 480);
const INK: RGBColor = RGBColor(31, 78, 121);
const ALARM: RGBColor = RGBColor(192, 57, 43);
const GREY: RGBColor = RGBColor(120, 120, 120);

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// A stretch of rows.
#[derive(Clone, Copy)]
struct Column {
    at: f64,
    low: f64,
    high: f64,
    score: f64,
    /// The value of its first anomaly.
    anomaly: Option<f64>,
}

impl Column {
    fn join(self, next: Self) -> Self {
        Self {
            at: self.at,
            low: self.low.min(next.low),
            high: self.high.max(next.high),
            score: self.score.max(next.score),
            anomaly: self.anomaly.or(next.anomaly),
        }
    }
}

/// What is to be drawn.
pub(super) struct Picture {
    bound: f64,
    columns: Vec<Column>,
    /// Rows in a full column, and in the last one.
    rows: u64,
    last: u64,
}

impl Picture {
    /// Nothing yet. `bound` is the score from which a value is an anomaly.
    pub(super) fn new(bound: f64) -> Self {
        Self { bound, columns: Vec::new(), rows: 1, last: 1 }
    }

    /// Takes a row; one without a value, or out of order, is not drawn.
    pub(super) fn add(&mut self, row: &Row, judged: &Judged) {
        let Some(value) = row.value else { return };
        let value = value.clamp(-VALUE_MAX, VALUE_MAX);
        #[expect(clippy::cast_precision_loss, reason = "for the eye")]
        let at = row.at_ms as f64;
        if self.columns.last().is_some_and(|column| at <= column.at) {
            return;
        }
        let anomaly = (judged.verdict == Verdict::Anomaly).then_some(value);
        let column = Column { at, low: value, high: value, score: judged.score, anomaly };
        match self.columns.last_mut() {
            Some(last) if self.last < self.rows => {
                *last = last.join(column);
                self.last += 1;
            }
            _ => {
                self.columns.push(column);
                self.last = 1;
            }
        }
        if self.columns.len() > COLUMNS_MAX {
            self.columns =
                self.columns.chunks(2).filter_map(|pair| pair.iter().copied().reduce(Column::join)).collect();
            self.rows *= 2;
        }
    }

    /// The picture as SVG.
    pub(super) fn svg(&self, title: &str) -> anyhow::Result<String> {
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            root.fill(&WHITE)?;
            let (above, below) = root.split_vertically(SIZE.1 * 2 / 3);
            self.draw_values(&above, title)?;
            self.draw_scores(&below)?;
            root.present()?;
        }
        Ok(svg)
    }

    fn span(&self) -> std::ops::Range<f64> {
        let first = self.columns.first().map_or(0.0, |column| column.at);
        let last = self.columns.last().map_or(1.0, |column| column.at);
        first..last.max(first + 1.0)
    }

    fn draw_values(&self, area: &DrawingArea<SVGBackend<'_>, Shift>, title: &str) -> anyhow::Result<()> {
        let low = self.columns.iter().map(|column| column.low).fold(f64::INFINITY, f64::min);
        let high = self.columns.iter().map(|column| column.high).fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let edge = match high.abs().max(low.abs()) {
            0.0 => 1.0,
            size => ((high - low) * 0.05).max(size * FINEST),
        };
        let mut chart = chart(area, Some(title), self.span(), low - edge..high + edge)?;
        let line = self.columns.iter().flat_map(|column| [(column.at, column.low), (column.at, column.high)]);
        chart.draw_series(LineSeries::new(line, INK.stroke_width(1)))?;
        let marks = self.columns.iter().filter_map(|column| Some((column.at, column.anomaly?)));
        chart.draw_series(marks.map(|mark| Circle::new(mark, 4, ALARM.stroke_width(2))))?;
        Ok(())
    }

    fn draw_scores(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> anyhow::Result<()> {
        let mut chart = chart(area, None, self.span(), 0.0..1.0)?;
        let bound = [(self.span().start, self.bound), (self.span().end, self.bound)];
        chart.draw_series(DashedLineSeries::new(bound, 6, 4, GREY.stroke_width(1)))?;
        let bars = self.columns.iter().map(|column| (column.anomaly.is_some(), column.at, column.score));
        chart.draw_series(bars.map(|(anomaly, at, score)| {
            let ink = if anomaly { ALARM } else { INK };
            PathElement::new(vec![(at, 0.0), (at, score)], ink.stroke_width(1))
        }))?;
        Ok(())
    }
}

/// Axes and grid; the axis of time has dates.
fn chart<'a, 'b>(
    area: &DrawingArea<SVGBackend<'b>, Shift>,
    title: Option<&str>,
    span: std::ops::Range<f64>,
    values: std::ops::Range<f64>,
) -> anyhow::Result<Chart<'a, 'b>>
where
    'b: 'a,
{
    let mut builder = ChartBuilder::on(area);
    builder.margin(8).set_label_area_size(LabelAreaPosition::Left, 72);
    builder.set_label_area_size(LabelAreaPosition::Bottom, 28);
    if let Some(title) = title {
        builder.caption(title, ("sans-serif", 15));
    }
    let mut chart = builder.build_cartesian_2d(span, values)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GREY.mix(0.2))
        .x_labels(7)
        .y_labels(5)
        .x_label_formatter(&|at| date(*at))
        .draw()?;
    Ok(chart)
}

/// `2014-04-10 16:15`
fn date(at: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a label")]
    let at_ms = at as i64;
    jiff::Timestamp::from_millisecond(at_ms)
        .map(|at| at.strftime("%Y-%m-%d %H:%M").to_string())
        .unwrap_or_default()
}
