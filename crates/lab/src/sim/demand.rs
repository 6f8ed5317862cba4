//! S5: what a service is asked for, of several families, to be forecast one step ahead.
//!
//! Half-hours; 48 a day. No family is like another, so that no single way to forecast is the best
//! for all of them.

use serde::Deserialize;

use crate::seed::Random;

/// How much of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demand {
    /// Steps of one series.
    pub steps: u32,
    /// Steps of one season.
    pub period: u32,
    /// Steps that are not scored: everybody learns from them.
    pub learning: u32,
    /// The mean level.
    pub level: f64,
    /// Standard deviation of the noise.
    pub noise: f64,
    /// How far the season swings.
    pub swing: f64,
    /// Only seeds that are multiples of it: the lines are long.
    pub every_seed: u64,
    /// The families that are run.
    pub families: Vec<Family>,
}

/// A kind of series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// A level and noise.
    Level,
    /// A day that repeats.
    Season,
    /// The same, growing.
    Growth,
    /// A walk with no memory.
    Walk,
    /// A level that wanders and comes back.
    Wander,
    /// A level that jumps now and then.
    Jumps,
    /// A day that repeats, whose level jumps.
    SeasonJumps,
    /// A level with rare large spikes.
    Spikes,
}

impl Family {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Level => "level",
            Self::Season => "season",
            Self::Growth => "growth",
            Self::Walk => "walk",
            Self::Wander => "wander",
            Self::Jumps => "jumps",
            Self::SeasonJumps => "season-jumps",
            Self::Spikes => "spikes",
        }
    }
}

/// The chance of a jump or a spike at a step.
const RARE: f64 = 0.005;
/// How much of a wandering level is left after a step.
const MEMORY: f64 = 0.9;
/// By how much a level grows in a step, of itself.
const GROWTH: f64 = 0.0004;

/// One series; never below 0.
pub fn series(demand: &Demand, family: Family, random: &mut Random) -> Vec<f64> {
    let mut wandering = 0.0;
    let mut values = Vec::new();
    for step in 0..demand.steps {
        let draw = random.normal();
        let rare = random.chance(RARE);
        let size = random.normal();
        wandering = match family {
            Family::Walk => wandering + demand.noise * draw,
            Family::Wander => MEMORY * wandering + demand.noise * draw,
            Family::Jumps | Family::SeasonJumps if rare => 4.0 * demand.noise * size,
            _ => wandering,
        };
        let noise = match family {
            Family::Walk | Family::Wander => 0.0,
            Family::Spikes if rare => demand.noise * (draw + 10.0 * size.abs()),
            _ => demand.noise * draw,
        };
        values.push((level(demand, family, step) + wandering + noise).max(0.0));
    }
    values
}

fn level(demand: &Demand, family: Family, step: u32) -> f64 {
    let phase = f64::from(step % demand.period) / f64::from(demand.period) * std::f64::consts::TAU;
    // Two harmonics: a day has a morning that differs from its evening.
    let season = demand.swing * (libm::sin(phase) + 0.4 * libm::sin(2.0 * phase + 1.0));
    match family {
        Family::Season | Family::SeasonJumps => demand.level + season,
        Family::Growth => (demand.level + season) * (1.0 + GROWTH * f64::from(step)),
        _ => demand.level,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_differ_in_what_comes_back() {
        let demand = Demand {
            steps: 1440,
            period: 48,
            learning: 240,
            level: 100.0,
            noise: 3.0,
            swing: 30.0,
            every_seed: 1,
            families: Vec::new(),
        };
        let change = |family, lag: usize| {
            let values = series(&demand, family, &mut Random::of(1, "demand", 0));
            let pairs = values.iter().zip(values.iter().skip(lag));
            pairs.map(|(before, after)| (after - before).abs()).sum::<f64>() / (values.len() - lag) as f64
        };
        assert!(change(Family::Season, 24) > 5.0 * change(Family::Season, 48));
        assert!(change(Family::Walk, 48) > 3.0 * change(Family::Walk, 1));
        assert!(change(Family::Level, 48) < 1.5 * change(Family::Level, 1));
    }
}
