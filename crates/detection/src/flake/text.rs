//! A pipeline's failures in plain words.

use super::{Advice, Judged, RUNS_MAX, Settings, Verdict, commit::Commit};
use crate::number::{percent, times};

/// Tests that are named.
const TESTS_NAMED: usize = 3;

pub(super) fn of(judged: &Judged, commit: &Commit, broken: f64, settings: &Settings) -> String {
    let runs = format!("{} of {} runs of {} failed", commit.failed, commit.runs(), commit.id);
    let tests: Vec<String> = judged.tests.iter().take(TESTS_NAMED).map(test).collect();
    let more = judged.tests.len().saturating_sub(TESTS_NAMED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let tests = if tests.is_empty() { String::new() } else { format!(": {}{more}", tests.join(", ")) };
    format!(
        "{runs}{tests}. Broken with a chance of {} (of all commits {} break it), {} against the branch's last runs. {}",
        percent(judged.p_real),
        percent(broken),
        times(judged.ln_e),
        next(judged, settings)
    )
}

fn test(test: &super::Failing) -> String {
    let by_itself = format!("{} fails by itself in {}", test.name, percent(test.flake_rate));
    if test.p_real == 0.0 { format!("{by_itself} and passed on this commit too") } else { by_itself }
}

fn next(judged: &Judged, settings: &Settings) -> String {
    let cost = percent(settings.retry_cost / settings.block_cost);
    match (judged.verdict, judged.advice) {
        (Verdict::Passed, _) => "Nothing failed".to_owned(),
        (Verdict::Flaky, _) => "It passed as well: what failed is flaky".to_owned(),
        (Verdict::Broken, _) => {
            format!("Keep it back: another run would have to be chance at odds above {cost} to pay")
        }
        (Verdict::Unsure, Advice::Ask) => format!("Undecided after {RUNS_MAX} runs: a person decides"),
        (Verdict::Unsure, _) => {
            format!("Run it again: the odds of chance are above {cost}, what a run costs")
        }
    }
}
