//! The system under test: the judge, told of ticks as a sender would tell it.
//!
//! What this does not do: help. The judge sees the observations that the offline command would
//! read, at the times at which they would come, and nothing else.

use homeostat_detection::judge::{Arm, Decision, Observation, Rollout, Settings, Verdict, What};
use homeostat_detection::sequential::Tally;

use crate::record::Said;

/// Some time; simulated time begins here. A multiple of any batch's length.
const EPOCH_MS: i64 = 1_704_067_200_000;

/// What the rollout is called.
const ROLLOUT: &str = "life";

/// The judge in one life.
pub struct Ours<'a> {
    settings: &'a Settings,
    rollout: Rollout,
    observation: Observation,
    verdict: Verdict,
    /// What it said so far.
    pub said: Said,
}

impl<'a> Ours<'a> {
    /// It has heard of nothing.
    pub fn new(settings: &'a Settings) -> Self {
        let what = What::Event { event: String::new() };
        Self {
            settings,
            rollout: Rollout::default(),
            observation: Observation {
                rollout: ROLLOUT.to_owned(),
                at_ms: 0,
                arm: None,
                told_by: None,
                what,
            },
            verdict: Verdict::Watching,
            said: Said::default(),
        }
    }

    /// Whether it called the life bad.
    pub fn called(&self) -> bool {
        !self.said.calls_s.is_empty()
    }

    /// How many bytes its state takes in the store.
    pub fn bytes(&self) -> usize {
        self.rollout.encode().len()
    }

    /// Counts of an arm, in the tick that ends at `at_s`.
    pub fn counts(&mut self, arm: Option<Arm>, at_s: i64, tally: Tally) {
        self.observation.arm = arm;
        match &mut self.observation.what {
            What::Bernoulli { bad, total, .. } => (*bad, *total) = (tally.bad, tally.total),
            other => {
                *other = What::Bernoulli { metric: "errors".to_owned(), bad: tally.bad, total: tally.total };
            }
        }
        self.observe(at_s);
    }

    /// Counts of an arm with the sender's time stamp, which come at another time; milliseconds.
    pub fn counts_stamped(&mut self, arm: Arm, stamp_ms: i64, arrives_ms: i64, tally: Tally) {
        let what = What::Bernoulli { metric: "errors".to_owned(), bad: tally.bad, total: tally.total };
        let at_ms = u64::try_from(EPOCH_MS + stamp_ms).unwrap_or(0);
        self.observation =
            Observation { rollout: ROLLOUT.to_owned(), at_ms, arm: Some(arm), told_by: None, what };
        let decision = self.rollout.observe(&self.observation, self.settings);
        // Told to the second it comes in.
        self.note(decision, arrives_ms.div_euclid(1000) + 1);
    }

    /// Latencies of an arm, in the tick that ends at `at_s`.
    pub fn samples(&mut self, arm: Arm, at_s: i64, values: Vec<f64>) {
        self.observation.arm = Some(arm);
        self.observation.what = What::Sample { metric: "latency_ms".to_owned(), values };
        self.observe(at_s);
    }

    /// Something happened at `at_s`.
    pub fn event(&mut self, name: &str, at_s: i64) {
        self.observation.arm = None;
        self.observation.what = What::Event { event: name.to_owned() };
        self.observe(at_s);
        self.verdict = self.rollout.verdict();
    }

    /// Time goes on to `at_s` with nothing heard.
    pub fn wait(&mut self, at_s: i64) {
        let decision = self.rollout.tick(ROLLOUT, millis(at_s), self.settings);
        self.note(decision, at_s);
    }

    /// What is reported at the end of a tick belongs to it, so it is stamped just before.
    fn observe(&mut self, at_s: i64) {
        self.observation.at_ms = millis(at_s) - 1;
        let decision = self.rollout.observe(&self.observation, self.settings);
        self.note(decision, at_s);
    }

    fn note(&mut self, decision: Option<Decision>, at_s: i64) {
        let Some(decision) = decision else { return };
        let changed = decision.verdict != self.verdict;
        self.verdict = decision.verdict;
        if !changed || at_s < 0 {
            return;
        }
        let at_s = at_s as f64;
        match decision.verdict {
            Verdict::Bad => self.said.call(at_s),
            Verdict::Healthy => _ = self.said.healthy_s.get_or_insert(at_s),
            Verdict::Blind => _ = self.said.blind_s.get_or_insert(at_s),
            Verdict::Watching => {}
        }
    }
}

fn millis(at_s: i64) -> u64 {
    u64::try_from(EPOCH_MS + at_s * 1000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One error in a hundred of the baseline, `bad` of the canary, for so many ticks of 5 s.
    fn judged(bad: u64, ticks: i64) -> Said {
        let settings = Settings::default();
        let mut ours = Ours::new(&settings);
        for index in -240..ticks {
            ours.counts(Some(Arm::Baseline), index * 5 + 5, Tally { total: 450, bad: 4 });
            if index >= 0 {
                ours.counts(Some(Arm::Canary), index * 5 + 5, Tally { total: 50, bad });
            }
        }
        ours.said
    }

    #[test]
    fn the_judge_calls_a_bad_canary_and_not_a_good_one() {
        let bad = judged(10, 120);
        assert!(bad.calls_s.len() == 1 && bad.calls_s[0] <= 60.0, "{bad:?}");
        assert!(judged(0, 120).calls_s.is_empty());
    }
}
