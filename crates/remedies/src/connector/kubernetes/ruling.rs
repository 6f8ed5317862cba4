//! Whether there is anything to roll back.
//!
//! | the current template names | last good release | its ReplicaSet was made | ruling |
//! |---|---|---|---|
//! | the release in question | any | any time | go back |
//! | the last good release | known | any time | refuse: it runs already |
//! | both, or neither | known | after the last good one was out | go back |
//! | both, or neither | known | before, or nobody knows | refuse: it was there before |
//! | neither | none | any time | refuse: nobody knows what runs |
//!
//! In doubt it is refused: a release that works and is taken away is worse than one remedy less.

use super::naming::Names;

/// What is known of the current template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) names: Names,
    /// When the last good release was out, milliseconds since the epoch; none is known without.
    pub(super) good_at_ms: Option<u64>,
    /// When its ReplicaSet was made, milliseconds since the epoch in whole seconds.
    pub(super) made_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ruling {
    GoBack,
    /// The last good release runs.
    GoodRuns,
    /// It was there before the last good release was out.
    OlderThanGood,
    /// Nobody knows whether it was there before.
    AgeUnknown,
    /// No release is known to have been good, and nobody knows what runs.
    NoGoodKnown,
}

pub(super) fn rule(facts: Facts) -> Ruling {
    match (facts.names, facts.good_at_ms) {
        (Names::Question, _) => Ruling::GoBack,
        (Names::Good, _) => Ruling::GoodRuns,
        (Names::Both | Names::Neither, None) => Ruling::NoGoodKnown,
        (Names::Both | Names::Neither, Some(good_at_ms)) => match facts.made_ms {
            // Made in the same second: Kubernetes cuts the fraction off, so it may be either.
            Some(made_ms) if made_ms > good_at_ms => Ruling::GoBack,
            Some(_) => Ruling::OlderThanGood,
            None => Ruling::AgeUnknown,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_question_is_rolled_back() {
        use Names::{Both, Good, Neither, Question};
        use Ruling::{AgeUnknown, GoBack, GoodRuns, NoGoodKnown, OlderThanGood};
        let check = |names, good_at_ms, made_ms, expected| {
            let facts = Facts { names, good_at_ms, made_ms };
            assert_eq!(rule(facts), expected, "{facts:?}");
        };
        let good = Some(10_000);
        let (before, same, after) = (Some(9_000), Some(10_000), Some(11_000));
        for made_ms in [None, before, same, after] {
            check(Question, good, made_ms, GoBack);
            check(Question, None, made_ms, GoBack);
            check(Good, good, made_ms, GoodRuns);
            check(Good, None, made_ms, GoodRuns);
            check(Neither, None, made_ms, NoGoodKnown);
            check(Both, None, made_ms, NoGoodKnown);
        }
        for names in [Neither, Both] {
            check(names, good, after, GoBack);
            check(names, good, same, OlderThanGood);
            check(names, good, before, OlderThanGood);
            check(names, good, None, AgeUnknown);
        }
    }
}
