//! The report's pictures: for a few systems, how many healthy canaries they call, and how soon they
//! find a bad one.

use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;

use super::PlotError;
use super::scores::Scores;
use crate::run::OURS;

const SIZE: (u32, u32) = (720, 400);
/// A share of 0 has no place on a logarithmic axis.
const SHARE_MIN: f64 = 5e-4;
const DELAY_RANGE_S: (f64, f64) = (5.0, 3_600.0);

/// Who is drawn, and how.
type Drawn = [(&'static str, RGBColor); 6];

const ON_COUNTS: Drawn = [
    (OURS, RGBColor(200, 30, 30)),
    ("kayenta", RGBColor(30, 90, 180)),
    ("lindon-malek", RGBColor(20, 140, 90)),
    ("peeking-z", RGBColor(150, 150, 40)),
    ("flagger", RGBColor(130, 80, 170)),
    ("pipecd-canary-baseline", RGBColor(110, 110, 110)),
];

/// Of those whose default calls nearly every healthy life, the best setting.
const ON_LATENCIES: Drawn = [
    (OURS, RGBColor(200, 30, 30)),
    ("kayenta-mean", RGBColor(30, 90, 180)),
    ("howard-ramdas", RGBColor(20, 140, 90)),
    ("peeking-z best", RGBColor(150, 150, 40)),
    ("flagger best", RGBColor(130, 80, 170)),
    ("pipecd-canary-baseline best", RGBColor(110, 110, 110)),
];

pub(super) fn all(scores: &Scores) -> Result<Vec<(String, String)>, PlotError> {
    let mut pictures = Vec::new();
    let spreads: Vec<(f64, String)> = by_number(scores.cells_of("s1/peers/b/"), "");
    if spreads.len() > 1 {
        let share =
            |cell: &str, system: &str| scores.of(cell, system).map(|score| score.called.share.max(SHARE_MIN));
        let picture = Picture {
            file: "false-rollbacks",
            title: "Healthy canaries called bad in an hour (world b)",
            x: "variance over mean of the errors",
            y: (SHARE_MIN, 1.0, "share of lives"),
            drawn: ON_COUNTS,
        };
        pictures.push(picture.draw(&spreads, share)?);
    }
    let delay = |cell: &str, system: &str| scores.of(cell, system).and_then(|score| score.median_s);
    let ratios: Vec<(f64, String)> = by_number(scores.cells_of("s1/faulty/b/1/"), "x");
    if ratios.len() > 1 {
        let picture = Picture {
            file: "delays",
            title: "Median delay until a bad canary is called (world b)",
            x: "what its errors are multiplied by",
            y: (DELAY_RANGE_S.0, DELAY_RANGE_S.1, "seconds"),
            drawn: ON_COUNTS,
        };
        pictures.push(picture.draw(&ratios, delay)?);
    }
    let slowdowns: Vec<(f64, String)> = by_number(scores.cells_of("s2/faulty/"), "x");
    if slowdowns.len() > 1 {
        let picture = Picture {
            file: "latency-delays",
            title: "Median delay until a slow canary is called",
            x: "what its latencies are multiplied by",
            y: (DELAY_RANGE_S.0, DELAY_RANGE_S.1, "seconds"),
            drawn: ON_LATENCIES,
        };
        pictures.push(picture.draw(&slowdowns, delay)?);
    }
    Ok(pictures)
}

/// Cells whose last part is a number after `prefix`, by it.
fn by_number(cells: Vec<&str>, prefix: &str) -> Vec<(f64, String)> {
    let number = |cell: &str| cell.rsplit('/').next()?.strip_prefix(prefix)?.parse().ok();
    let mut found: Vec<(f64, String)> =
        cells.into_iter().filter_map(|cell| Some((number(cell)?, cell.to_owned()))).collect();
    found.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    found
}

/// A system, its colour and its points.
type Line = (&'static str, RGBColor, Vec<(f64, f64)>);

struct Picture {
    file: &'static str,
    title: &'static str,
    x: &'static str,
    y: (f64, f64, &'static str),
    drawn: Drawn,
}

impl Picture {
    fn draw(
        &self,
        cells: &[(f64, String)],
        value: impl Fn(&str, &str) -> Option<f64>,
    ) -> Result<(String, String), PlotError> {
        let lines = self.drawn.map(|(system, colour)| {
            let points = cells.iter().filter_map(|(x, cell)| Some((*x, value(cell, system)?)));
            (system, colour, points.collect::<Vec<_>>())
        });
        let mut svg = String::new();
        let drawn = self.plot(&mut svg, cells, &lines);
        drawn.map_err(|error| PlotError { picture: self.file, reason: error.to_string() })?;
        Ok((format!("{}.svg", self.file), svg))
    }

    fn plot(
        &self,
        svg: &mut String,
        cells: &[(f64, String)],
        lines: &[Line],
    ) -> Result<(), Box<dyn std::error::Error>> {
        let (low, high, unit) = self.y;
        let (first, last) =
            (cells.first().map_or(1.0, |cell| cell.0), cells.last().map_or(2.0, |cell| cell.0));
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(first..last, (low..high).log_scale())?;
        chart.configure_mesh().x_desc(self.x).y_desc(unit).light_line_style(WHITE).draw()?;
        for (system, colour, points) in lines {
            let colour = *colour;
            chart
                .draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)).point_size(3))?
                .label(*system)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        area.present()?;
        Ok(())
    }
}
