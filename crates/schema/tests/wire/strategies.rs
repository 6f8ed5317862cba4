//! Any value of every type, for property tests.

use homeostat_schema::types::*;
use proptest::collection::vec;
use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

/// Texts with quotes, escapes, control characters and whatever Unicode has.
fn words() -> impl Strategy<Value = String> + Clone {
    "(?s).{0,6}"
}

fn finite() -> impl Strategy<Value = f64> {
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

/// All of `u64`, and often the years people live in.
fn time() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), 0..4_102_444_800_000_u64]
}

macro_rules! open_names {
    ($($function:ident: $name:ident),*) => {$(
        pub(crate) fn $function() -> impl Strategy<Value = $name> {
            prop_oneof![select($name::NAMES).prop_map(str::to_owned), words()].prop_map(|name| $name::named(&name))
        }
    )*};
}

open_names!(event_kind: EventKind, status: Status, finding_kind: FindingKind, remedy: Remedy, guard: Guard);

macro_rules! record {
    ($function:ident: $name:ident { $($field:ident: $strategy:expr),* $(,)? }) => {
        pub(crate) fn $function() -> impl Strategy<Value = $name> {
            record!(@nest $name [] $($field: $strategy,)*)
        }
    };
    (@nest $name:ident [] $($field:ident: $strategy:expr,)*) => {{
        $(let $field = ($strategy).boxed();)*
        let runner = move |rng: &mut proptest::test_runner::TestRunner| -> Result<$name, proptest::test_runner::Reason> {
            Ok($name { $($field: $field.new_tree(rng)?.current(),)* })
        };
        Made::new(runner)
    }};
}

/// A strategy that draws each field by itself: tuples of strategies end at twelve. Failing
/// values are shown as they were drawn, not made smaller.
struct Made<F>(std::sync::Arc<F>);

impl<F> Made<F> {
    fn new(draw: F) -> Self {
        Self(std::sync::Arc::new(draw))
    }
}

impl<F> std::fmt::Debug for Made<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Made")
    }
}

type Drawn<T> = Result<T, proptest::test_runner::Reason>;

impl<T, F> Strategy for Made<F>
where
    T: std::fmt::Debug + Clone,
    F: Fn(&mut proptest::test_runner::TestRunner) -> Drawn<T>,
{
    type Tree = Just<T>;
    type Value = T;

    fn new_tree(&self, runner: &mut proptest::test_runner::TestRunner) -> Drawn<Just<T>> {
        (self.0)(runner).map(Just)
    }
}

record!(signal: Signal { name: words(), value: finite(), unit: words(), samples: any::<u64>() });

record!(trust: Trust {
    signed: any::<bool>(), fresh: any::<bool>(), fork: any::<bool>(), self_: any::<bool>(),
    late: any::<bool>(), test: any::<bool>(),
});

record!(correlation: Correlation {
    run: of(words()), run_attempt: of(any::<u32>()), deployment: of(words()), pull_request: of(words()),
});

record!(event: Event {
    id: words(), kind: event_kind(), source: words(), env: words(), service: words(), title: of(words()),
    version: of(words()), commit: of(words()), previous_version: of(words()), branch: of(words()),
    status: status(), duration: of(any::<u64>()), latency: of(finite()), signals: vec(signal(), 0..3),
    occurred_at: time(), received_at: time(), actor: of(words()), url: of(words()),
    correlation: correlation(), trust: trust(), irreversible: any::<bool>(),
    attributes: vec(("[ab]{0,2}", words()), 0..4),
});

record!(evidence: Evidence {
    metric: words(), observed: finite(), bound: finite(), unit: words(), samples: any::<u64>(), text: words(),
    events: vec(words(), 0..3),
});

record!(health: Health { verdict: select(Verdict::ALL), score: finite(), because: vec(evidence(), 0..3) });

record!(release: Release { version: of(words()), commit: of(words()), at: time() });

record!(plot_point: PlotPoint {
    at: time(), baseline: finite(), baseline_samples: any::<u64>(), canary: finite(),
    canary_samples: any::<u64>(), statistic: finite(),
});

record!(plot: Plot { metric: words(), unit: words(), bound: finite(), points: vec(plot_point(), 0..3) });

record!(cause: Cause {
    incident: words(), findings: any::<u32>(), answered: any::<bool>(), change: of(words()), service: of(words()),
    probability: finite(), blamed: any::<bool>(), text: words(),
});

record!(finding: Finding {
    id: words(), kind: finding_kind(), severity: select(Severity::ALL), env: words(), service: words(),
    version: of(words()), commit: of(words()), last_good: of(release()), health: health(),
    correlation: correlation(), trust: trust(), irreversible: any::<bool>(), found_at: time(),
    config_version: any::<u64>(), plot: of(plot()), cause: of(cause()),
});

record!(assessment_request: AssessmentRequest {
    attempt: words(), incident: words(), env: words(), service: words(), kind: finding_kind(),
    correlation: correlation(), since: time(),
});

record!(assessment: Assessment {
    attempt: words(), incident: words(), env: words(), service: words(), health: health(), at: time(),
});

pub(crate) fn target() -> impl Strategy<Value = Target> {
    let pair = || (words(), words());
    prop_oneof![
        pair().prop_map(|(repository, environment)| Target::Github(GithubTarget { repository, environment })),
        pair().prop_map(|(namespace, deployment)| Target::Kubernetes(KubernetesTarget {
            namespace,
            deployment
        })),
        Just(Target::Slack),
        prop_oneof![words(), "github|kubernetes|slack|other".boxed()].prop_map(Target::Other),
    ]
}

record!(guard_check: GuardCheck { guard: guard(), passed: any::<bool>(), reason: words() });

record!(context: PolicyContext { env: words(), kind: finding_kind(), severity: select(Severity::ALL) });

record!(choice: Choice {
    context: context(), allowed: vec(remedy(), 0..3), remedy: remedy(), propensity: finite(),
    policy_version: any::<u64>(),
});

record!(prediction: Prediction { verdict: select(Verdict::ALL), score_min: finite(), after: any::<u64>() });

record!(request: Request { method: words(), url: words(), body: words() });

record!(plan: Plan {
    id: words(), incident: words(), parent: of(words()), env: words(), service: words(), remedy: remedy(),
    target: target(), choice: choice(), guards: vec(guard_check(), 0..3), decision: select(Decision::ALL),
    prediction: prediction(), preview: of(request()), idempotency_key: words(), ordinal: any::<u32>(),
    dry_run: any::<bool>(), version: of(words()), commit: of(words()), last_good: of(release()), replicas: of(any::<u32>()),
    correlation: correlation(), reason: words(), made_at: time(), config_version: any::<u64>(),
});

record!(exchange: Exchange { request: request(), status: any::<u16>(), took: any::<u64>() });

record!(attempt: Attempt {
    id: words(), plan: words(), incident: words(), env: words(), service: words(), remedy: remedy(),
    attempt_result: select(AttemptResult::ALL), exchanges: vec(exchange(), 0..3), detail: words(),
    started_at: time(), ended_at: time(),
});

record!(outcome: Outcome {
    attempt: words(), incident: words(), kind: select(OutcomeKind::ALL), health: health(), reward: finite(),
    text: words(), at: time(),
});

record!(sample: Sample {
    incident: words(), attempt: words(), choice: choice(), reward: finite(), at: time(),
});

record!(operator_word: OperatorWord {
    incident: words(), verb: select(OperatorVerb::ALL), who: words(), why: words(), at: time(),
});

pub(crate) fn fact() -> impl Strategy<Value = TimelineFact> {
    prop_oneof![
        finding().prop_map(TimelineFact::Finding),
        plan().prop_map(TimelineFact::Plan),
        attempt().prop_map(TimelineFact::Attempt),
        outcome().prop_map(TimelineFact::Outcome),
        operator_word().prop_map(TimelineFact::Operator),
        Just(TimelineFact::Note),
    ]
}

record!(timeline_item: TimelineItem { at: time(), text: words(), fact: fact() });

record!(incident: Incident {
    id: words(), env: words(), service: words(), title: words(), severity: select(Severity::ALL),
    state: select(IncidentState::ALL), opened_at: time(), updated_at: time(), closed_at: of(time()),
    cause: of(cause()), timeline: vec(timeline_item(), 0..4),
});
