//! A disaster in plain words.

use super::{Change, Judged, Scenario, Verdict};
use crate::number::span;

pub(super) fn of(judged: &Judged, now_ms: u64, scenario: &Scenario) -> String {
    let Judged { tripped, triggers, .. } = judged;
    let since = judged.began_ms.map_or(0, |began_ms| now_ms.saturating_sub(began_ms));
    let (name, playbook, objective) = (&scenario.name, &scenario.playbook, span(scenario.recovery_ms));
    match (judged.verdict, judged.change) {
        (_, Some(Change::Recovered(recovery))) => {
            let met = if recovery.is_met() { "within" } else { "beyond" };
            format!(
                "{name} is over: recovered in {}, {met} the objective of {objective}, and calm for {} since",
                span(recovery.took_ms()),
                span(now_ms.saturating_sub(recovery.recovered_ms))
            )
        }
        (Verdict::Quiet, _) => format!(
            "no {name}: {tripped} of {triggers} triggers are tripped, {} would be a disaster",
            scenario.majority()
        ),
        (Verdict::Open, _) => format!(
            "{name} for {}: {tripped} of {triggers} triggers are tripped; playbook {playbook}, to be over within {objective}",
            span(since)
        ),
        (Verdict::Overdue, _) => format!(
            "{name} for {}, longer than the objective of {objective}: {tripped} of {triggers} triggers are tripped; playbook {playbook}",
            span(since)
        ),
    }
}
