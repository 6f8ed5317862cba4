//! Single ways to forecast one step ahead, against which the mixture is held: as before, an
//! exponentially weighted mean, as a season ago with the level corrected, and damped Holt–Winters.

/// A way to forecast.
pub trait Expert {
    /// Its name.
    fn name(&self) -> &'static str;
    /// The next value, as far as it can tell.
    fn forecast(&self) -> f64;
    /// What came true.
    fn observe(&mut self, value: f64);
}

/// All of them, for seasons of so many steps.
pub fn all(period: usize) -> Vec<Box<dyn Expert>> {
    vec![
        Box::new(AsBefore(0.0)),
        Box::new(Weighted { level: None }),
        Box::new(SeasonAgo { past: Vec::new(), period: period.max(1), correction: 0.0 }),
        Box::new(HoltWinters::new(period.max(1))),
    ]
}

struct AsBefore(f64);

impl Expert for AsBefore {
    fn name(&self) -> &'static str {
        "as-before"
    }

    fn forecast(&self) -> f64 {
        self.0
    }

    fn observe(&mut self, value: f64) {
        self.0 = value;
    }
}

/// The weight of the newest value.
const WEIGHT: f64 = 0.3;

struct Weighted {
    level: Option<f64>,
}

impl Expert for Weighted {
    fn name(&self) -> &'static str {
        "weighted-mean"
    }

    fn forecast(&self) -> f64 {
        self.level.unwrap_or(0.0)
    }

    fn observe(&mut self, value: f64) {
        let level = self.level.unwrap_or(value);
        self.level = Some(level + WEIGHT * (value - level));
    }
}

struct SeasonAgo {
    past: Vec<f64>,
    period: usize,
    /// How far the season ago was off of late.
    correction: f64,
}

impl SeasonAgo {
    fn ago(&self) -> Option<f64> {
        self.past.len().checked_sub(self.period).and_then(|index| self.past.get(index)).copied()
    }
}

impl Expert for SeasonAgo {
    fn name(&self) -> &'static str {
        "season-ago"
    }

    fn forecast(&self) -> f64 {
        self.ago().map_or_else(|| self.past.last().copied().unwrap_or(0.0), |ago| ago + self.correction)
    }

    fn observe(&mut self, value: f64) {
        if let Some(ago) = self.ago() {
            self.correction += WEIGHT * (value - ago - self.correction);
        }
        self.past.push(value);
    }
}

/// How fast level, trend and season follow, and how the trend is damped.
#[derive(Clone, Copy)]
struct Smoothing {
    level: f64,
    trend: f64,
    season: f64,
    damping: f64,
}

const SMOOTHING: Smoothing = Smoothing { level: 0.2, trend: 0.01, season: 0.2, damping: 0.98 };

struct HoltWinters {
    by: Smoothing,
    level: f64,
    trend: f64,
    season: Vec<f64>,
    first: Vec<f64>,
    at: usize,
}

impl HoltWinters {
    fn new(period: usize) -> Self {
        Self { by: SMOOTHING, level: 0.0, trend: 0.0, season: vec![0.0; period], first: Vec::new(), at: 0 }
    }

    fn learning(&self) -> bool {
        self.first.len() < self.season.len()
    }
}

impl Expert for HoltWinters {
    fn name(&self) -> &'static str {
        "holt-winters"
    }

    fn forecast(&self) -> f64 {
        if self.learning() {
            return self.first.last().copied().unwrap_or(0.0);
        }
        self.level + self.by.damping * self.trend + self.season.get(self.at).copied().unwrap_or(0.0)
    }

    fn observe(&mut self, value: f64) {
        if self.learning() {
            self.first.push(value);
            if !self.learning() {
                self.level = self.first.iter().sum::<f64>() / self.first.len() as f64;
                self.season = self.first.iter().map(|first| first - self.level).collect();
            }
            return;
        }
        let error = value - self.forecast();
        self.level += self.by.damping * self.trend + self.by.level * error;
        self.trend = self.by.damping * self.trend + self.by.level * self.by.trend * error;
        if let Some(season) = self.season.get_mut(self.at) {
            *season += self.by.season * error;
        }
        self.at = (self.at + 1) % self.season.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One-step forecasts that statsmodels makes with the same parameters and start.
    #[test]
    fn damped_holt_winters_is_the_published_one() {
        let mut expert = HoltWinters {
            by: Smoothing { level: 0.3, trend: 0.1, season: 0.2, damping: 0.95 },
            level: 14.25,
            trend: 0.5,
            season: vec![-4.25, -0.25, -6.25, 10.75],
            first: vec![0.0; 4],
            at: 0,
        };
        let seen = [
            (10.0, 10.475),
            (14.0, 14.770_212_5),
            (8.0, 8.933_024_568_75),
            (25.0, 26.000_708_025_728_123),
            (12.0, 10.907_186_725_499_402),
            (16.0, 15.493_739_938_288_08),
            (9.0, 9.929_348_098_727_019),
            (28.0, 26.910_998_484_791_16),
        ];
        for (value, expected) in seen {
            assert!(
                (expert.forecast() - expected).abs() < 1e-9,
                "{} instead of {expected}",
                expert.forecast()
            );
            expert.observe(value);
        }
    }

    #[test]
    fn each_is_the_best_where_it_should_be() {
        let error = |name: &str, values: &[f64]| {
            let mut expert = all(4).into_iter().find(|expert| expert.name() == name)?;
            let mut sum = 0.0;
            for value in values {
                sum += (value - expert.forecast()).abs();
                expert.observe(*value);
            }
            Some(sum / values.len() as f64)
        };
        let seasons: Vec<f64> = (0..400).map(|step| [1.0, 5.0, 2.0, 9.0][step % 4]).collect();
        assert!(error("season-ago", &seasons) < error("as-before", &seasons));
        assert!(error("holt-winters", &seasons) < error("weighted-mean", &seasons));
        let alternating: Vec<f64> = (0..400).map(|step| if step % 2 == 0 { 4.0 } else { 6.0 }).collect();
        assert!(error("weighted-mean", &alternating) < error("as-before", &alternating));
    }
}
