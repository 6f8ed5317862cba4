//! S5: the forecast, and single experts beside it, on the same series.

use homeostat_detection::series::forecast::Forecast;
use serde::Serialize;

use super::{Life, OURS};
use crate::frozen::Frozen;
use crate::peers::experts;
use crate::record::{Lines, push};
use crate::sim::demand::{self, Family};

/// What was forecast of one series, from step `first` on.
#[derive(Serialize)]
struct Predicted<'a> {
    series: &'a str,
    system: &'a str,
    first: usize,
    forecast: &'a [f64],
    upper: &'a [f64],
}

/// What came true.
#[derive(Serialize)]
struct Series<'a> {
    series: &'a str,
    family: &'a str,
    values: &'a [f64],
}

pub(super) fn life(life: Life, family: Family, frozen: &Frozen, lines: &mut Lines) {
    let plan = &frozen.demand;
    let values: Vec<f64> =
        demand::series(plan, family, &mut life.random("life")).into_iter().map(told).collect();
    let (name, first) = (life.name(), plan.learning as usize);
    push(&mut lines.series, &Series { series: &name, family: family.name(), values: &values });
    let mut say = |system: &str, forecast: &[f64], upper: &[f64]| {
        push(&mut lines.forecasts, &Predicted { series: &name, system, first, forecast, upper });
    };
    let (expected, upper) = ours(plan.period, &values, first);
    say(OURS, &expected, &upper);
    for mut expert in experts::all(plan.period as usize) {
        let mut forecast = Vec::new();
        for (step, value) in values.iter().enumerate() {
            if step >= first {
                forecast.push(told(expert.forecast()));
            }
            expert.observe(*value);
        }
        say(&format!("expert:{}", expert.name()), &forecast, &[]);
    }
}

fn ours(period: u32, values: &[f64], first: usize) -> (Vec<f64>, Vec<f64>) {
    let mut forecast = Forecast::new(1, u16::try_from(period).unwrap_or(0));
    let (mut expected, mut upper) = (Vec::new(), Vec::new());
    for (step, value) in values.iter().enumerate() {
        if step >= first
            && let Some(outlook) = forecast.outlook()
        {
            expected.push(told(outlook.expected));
            upper.push(told(outlook.upper));
        }
        forecast.observe(*value);
    }
    (expected, upper)
}

/// Four digits after the point are enough, and keep the files small.
fn told(value: f64) -> f64 {
    libm::round(value * 1e4) / 1e4
}
