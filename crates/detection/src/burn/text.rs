//! A burn rate in plain words.

use super::{Firing, Objective, Rate, Urgency, Verdict};
use crate::number::{float, percent};

pub(super) fn of(verdict: Verdict, firing: &[Firing], rates: &[Rate; 7], objective: &Objective) -> String {
    match (verdict, firing.first()) {
        (Verdict::Burning, Some(firing)) => burning(firing, objective),
        (Verdict::Blind, _) => "no requests were counted for an hour: nothing can be said".to_owned(),
        _ => {
            let fastest = rates.iter().map(|rate| rate.burn).fold(0.0, f64::max);
            format!(
                "within the objective of {}: no pair of windows burns too fast, the fastest window {fastest:.1} times",
                percent(objective.slo())
            )
        }
    }
}

fn burning(firing: &Firing, objective: &Objective) -> String {
    const DAY_MS: f64 = 86_400_000.0;
    let days = float(objective.period_ms()) / DAY_MS;
    let word = match firing.pair.urgency {
        Urgency::Page => "page",
        Urgency::Ticket => "ticket",
    };
    format!(
        "{word}: {} and {}; more than {:.1} in both is too fast for an objective of {} over {days:.0} days; \
         at the pace of the last {} a whole budget lasts {:.1} days. It ends when one of the two is below {:.1}",
        window(&firing.long),
        window(&firing.short),
        firing.factor,
        percent(objective.slo()),
        firing.long.window.name(),
        days / firing.long.burn,
        firing.factor,
    )
}

fn window(rate: &Rate) -> String {
    format!(
        "in {} {:.0} of {:.0} requests failed, a burn rate of {:.1}",
        rate.window.name(),
        rate.bad,
        rate.total,
        rate.burn
    )
}
