//! Counts of a canary against its baseline, at the same time: the tests of one metric together.
//!
//! Evidence that the canary is worse: the tempered mixture, averaged with a partner that assumes
//! nothing of bursts (the symmetric test when both arms have as much traffic, else the bounded
//! bet). Evidence that it is not worse: the mirrored mixture, averaged with one that the canary's
//! rate is tolerable whatever the baseline's.
//!
//! What this does not do: decide.

use serde::{Deserialize, Serialize};

use crate::number::float;
use crate::sequential::{
    Arms, BoundedBet, Bursts, Direction, Mixture, Onset, Ratios, Symmetric, Tally, ln_weighted_exp,
};

/// How much the mixture counts, against its partner.
const MIXTURE: f64 = 0.92;
/// The part of the stake that is laid at once; the rest is for what becomes bad later.
const AT_ONCE: f64 = 0.9;
/// Arms differ at most by this part of all traffic to count as equal.
const EQUAL: f64 = 0.1;
/// Where the symmetric test is sharpest, in batches.
const SHARPEST: f64 = 40.0;
/// Rates, as parts of the tolerable one, that are held against it.
const CALM: [f64; 3] = [0.5, 0.2, 0.0];

/// What a contest is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// A canary that is worse by less than this ratio, at least 1, is no regression.
    pub(super) null_ratio: f64,
    /// A canary must be better than this ratio to be called not worse.
    pub(super) worst_ratio: f64,
    /// A rate that is good enough; 0 for none.
    pub(super) tolerable: f64,
    /// The level that intervals and the symmetric test are made for.
    pub(super) alpha: f64,
    /// A batch multiplies a bet by at most e to this, so that one burst proves nothing.
    pub(super) gain_max: f64,
}

/// From and to; `None` for an end beyond what is told apart.
pub(super) type Interval = (Option<f64>, Option<f64>);

/// The state.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Contest {
    bursts: Bursts,
    /// The baseline before the canary.
    history: Tally,
    running: Option<Box<Running>>,
}

/// Since both arms report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Running {
    worse: Mixture,
    not_worse: Mixture,
    ratios: Ratios,
    partner: Partner,
    calm: Calm,
    seen: Arms,
    batches: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Partner {
    Bet(BoundedBet),
    Symmetric(Symmetric),
}

/// Is the canary's rate tolerable? Tempered sums of what went badly and well.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Calm {
    bad: f64,
    good: f64,
}

impl Contest {
    /// Takes one closed batch; an arm that said nothing has a total of 0.
    pub(super) fn observe(&mut self, arms: Arms, rules: Rules) {
        if arms.both() {
            let running =
                self.running.get_or_insert_with(|| Box::new(Running::new(arms, self.history, rules)));
            running.observe(arms, self.bursts.tempering());
        } else if self.running.is_none() {
            self.history = self.history.plus(arms.baseline);
        }
        self.bursts.observe(arms);
    }

    /// Forgets the canary; what the baseline was is kept.
    pub(super) fn restart(&mut self) {
        if let Some(running) = self.running.take() {
            self.history = self.history.plus(running.seen.baseline);
            self.bursts.forget_canary();
        }
    }

    /// The logarithm of the e-value that the canary is worse.
    pub(super) fn ln_worse(&self) -> f64 {
        self.running.as_ref().map_or(0.0, |running| running.ln_worse())
    }

    /// The logarithm of the e-value that it is not worse than tolerated.
    pub(super) fn ln_not_worse(&self, rules: Rules) -> f64 {
        self.running.as_ref().map_or(0.0, |running| running.ln_not_worse(rules))
    }

    /// How many times more errors the canary has, with the interval; `None` before it reports.
    pub(super) fn effect(&self, alpha: f64) -> Option<(f64, Interval)> {
        self.running.as_ref().map(|running| (running.effect(), running.ratios.interval(alpha)))
    }

    /// What both arms counted while both reported, and in how many batches.
    pub(super) fn seen(&self) -> (Arms, u64) {
        self.running.as_ref().map_or((Arms::default(), 0), |running| (running.seen, running.batches))
    }
}

impl Running {
    fn new(arms: Arms, history: Tally, rules: Rules) -> Self {
        let (canary, baseline) = (float(arms.canary.total), float(arms.baseline.total));
        let partner = if (canary - baseline).abs() <= EQUAL * (canary + baseline) {
            Partner::Symmetric(Symmetric::new(SHARPEST, rules.alpha))
        } else {
            Partner::Bet(BoundedBet::new(history.share()).with_onset(Onset::any_time(AT_ONCE)))
        };
        Self {
            worse: Mixture::new(Direction::Worse, rules.null_ratio)
                .with_onset(Onset::any_time(AT_ONCE))
                .with_gain_max(rules.gain_max),
            not_worse: Mixture::new(Direction::NotWorse, rules.worst_ratio).with_gain_max(rules.gain_max),
            ratios: Ratios::default(),
            partner,
            calm: Calm::default(),
            seen: Arms::default(),
            batches: 0,
        }
    }

    fn observe(&mut self, arms: Arms, tempering: f64) {
        self.worse.observe(arms, tempering);
        self.not_worse.observe(arms, tempering);
        self.ratios.observe(arms, tempering);
        self.partner.observe(arms);
        self.calm.bad += tempering * float(arms.canary.bad());
        self.calm.good += tempering * float(arms.canary.total - arms.canary.bad());
        self.seen.canary = self.seen.canary.plus(arms.canary);
        self.seen.baseline = self.seen.baseline.plus(arms.baseline);
        self.batches += 1;
    }

    fn ln_worse(&self) -> f64 {
        let partner = match &self.partner {
            Partner::Bet(bet) => bet.ln_e(),
            Partner::Symmetric(test) => test.ln_e(),
        };
        ln_weighted_exp([(MIXTURE, self.worse.ln_e()), (1.0 - MIXTURE, partner)].into_iter())
    }

    fn ln_not_worse(&self, rules: Rules) -> f64 {
        let calm = self.calm.ln_e(rules.tolerable);
        ln_weighted_exp([(0.5, self.not_worse.ln_e()), (0.5, calm)].into_iter())
    }

    fn effect(&self) -> f64 {
        let rate = |tally: Tally| (float(tally.bad()) + 0.5) / float(tally.total.max(1));
        rate(self.seen.canary) / rate(self.seen.baseline)
    }
}

impl Partner {
    fn observe(&mut self, arms: Arms) {
        match self {
            Self::Bet(bet) => bet.observe(arms),
            Self::Symmetric(test) => {
                let (canary, baseline) = (float(arms.canary.total), float(arms.baseline.total));
                // Arms that drifted apart are no longer exchangeable; such a batch says nothing.
                if (canary - baseline).abs() <= 2.0 * EQUAL * (canary + baseline) {
                    let mean = 0.5 * (canary + baseline);
                    let level = |tally: Tally| (tally.share() * mean + 0.375).sqrt();
                    test.observe(level(arms.canary) - level(arms.baseline));
                }
            }
        }
    }
}

impl Calm {
    fn ln_e(self, tolerable: f64) -> f64 {
        if tolerable <= 0.0 || tolerable >= 1.0 {
            return 0.0;
        }
        let weight = 1.0 / float(CALM.len() as u64);
        ln_weighted_exp(CALM.into_iter().map(|part| {
            let well = self.good * ((1.0 - part * tolerable) / (1.0 - tolerable)).ln();
            let badly = if self.bad > 0.0 { self.bad * part.ln() } else { 0.0 };
            (weight, well + badly)
        }))
    }
}
