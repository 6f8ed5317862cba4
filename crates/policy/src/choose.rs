//! ε-greedy choice with its exact propensity.
//!
//! With ε the share of exploration and n distinct allowed remedies, the best one is chosen with
//! chance `(1 - ε) + ε/n` and every other with `ε/n`. The best is the one of highest expected
//! reward; of equals, the one that comes first in the allowed list, which is the caller's order of
//! preference.

use homeostat_schema::{
    config::Learning,
    types::{Choice, PolicyContext, Remedy},
};

use crate::{Policy, random::SplitMix64};

impl Policy {
    /// Chooses among `allowed` (in order of preference; repetitions count once). The same
    /// arguments give the same choice. `None` when nothing is allowed.
    pub fn choose(
        &self,
        context: &PolicyContext,
        allowed: &[Remedy],
        learning: &Learning,
        seed: u64,
    ) -> Option<Choice> {
        let allowed = distinct(allowed);
        let best = self.best(context, &allowed)?;
        let exploration = share(learning.exploration);
        let chosen = draw(best, allowed.len(), exploration, seed);
        let remedy = allowed.get(chosen)?.clone();
        Some(Choice {
            context: context.clone(),
            propensity: propensity(chosen == best, allowed.len(), exploration),
            remedy,
            allowed,
            policy_version: self.version(),
        })
    }

    fn best(&self, context: &PolicyContext, allowed: &[Remedy]) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for (index, remedy) in allowed.iter().enumerate() {
            let value = self.value(context, remedy);
            if best.is_none_or(|(_, highest)| value > highest) {
                best = Some((index, value));
            }
        }
        best.map(|(index, _)| index)
    }
}

fn distinct(allowed: &[Remedy]) -> Vec<Remedy> {
    let mut seen: Vec<Remedy> = Vec::with_capacity(allowed.len());
    for remedy in allowed {
        if !seen.contains(remedy) {
            seen.push(remedy.clone());
        }
    }
    seen
}

/// A share from the configuration, made safe: not a number is none.
pub(crate) fn share(configured: f64) -> f64 {
    if configured.is_finite() { configured.clamp(0.0, 1.0) } else { 0.0 }
}

fn draw(best: usize, n: usize, exploration: f64, seed: u64) -> usize {
    let mut random = SplitMix64::new(seed);
    let explore = random.unit() < exploration;
    let other = random.below(n);
    if explore { other } else { best }
}

fn propensity(is_best: bool, n: usize, exploration: f64) -> f64 {
    let by_exploring = exploration / n as f64;
    if is_best { (1.0 - exploration) + by_exploring } else { by_exploring }
}

#[cfg(test)]
mod tests {
    use super::*;
    use homeostat_schema::types::{FindingKind, Severity};

    fn context(kind: FindingKind) -> PolicyContext {
        PolicyContext { env: "stage".into(), kind, severity: Severity::Warning }
    }

    fn learning(exploration: f64) -> Learning {
        Learning { exploration, ..Learning::default() }
    }

    #[test]
    fn the_first_choice_is_the_sensible_one() {
        let all =
            [Remedy::Notify, Remedy::Restart, Remedy::RerunFailedJobs, Remedy::Redeploy, Remedy::Rollback];
        let check = |kind: FindingKind, allowed: &[Remedy], expected: Remedy| {
            let choice = Policy::default().choose(&context(kind), allowed, &learning(0.0), 1).unwrap();
            assert_eq!(choice.remedy, expected);
            assert_eq!(choice.propensity, 1.0);
        };
        check(FindingKind::RunFailed, &all, Remedy::RerunFailedJobs);
        check(FindingKind::DeploymentFailed, &all, Remedy::Rollback);
        check(FindingKind::DeploymentFailed, &all[..4], Remedy::Redeploy);
        check(FindingKind::ErrorRateHigh, &all, Remedy::Rollback);
        check(FindingKind::LatencyHigh, &all, Remedy::Rollback);
        check(FindingKind::Blind, &all, Remedy::Notify);
    }

    #[test]
    fn of_equals_the_first_allowed_is_chosen() {
        let check = |allowed: &[Remedy], expected: Remedy| {
            let context = context(FindingKind::LatencyHigh);
            let choice = Policy::default().choose(&context, allowed, &learning(0.0), 9).unwrap();
            assert_eq!(choice.remedy, expected);
        };
        check(&[Remedy::Restart, Remedy::ScaleUp], Remedy::Restart);
        check(&[Remedy::ScaleUp, Remedy::Restart], Remedy::ScaleUp);
    }

    #[test]
    fn nothing_allowed_is_no_choice() {
        let none = Policy::default().choose(&context(FindingKind::RunFailed), &[], &learning(0.5), 1);
        assert_eq!(none, None);
    }

    #[test]
    fn frequencies_follow_the_propensities() {
        let allowed = [Remedy::Rollback, Remedy::Redeploy, Remedy::Rollback, Remedy::Notify];
        let context = context(FindingKind::DeploymentFailed);
        let mut counts = [0_u32; 3];
        let mut chances = [0.0; 3];
        for seed in 0..20_000 {
            let choice = Policy::default().choose(&context, &allowed, &learning(0.3), seed).unwrap();
            let index = choice.allowed.iter().position(|remedy| *remedy == choice.remedy).unwrap();
            counts[index] += 1;
            chances[index] = choice.propensity;
        }
        assert!((chances.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        for (count, chance) in counts.into_iter().zip(chances) {
            assert!((f64::from(count) / 20_000.0 - chance).abs() < 0.01, "{count} against {chance}");
        }
    }
}
