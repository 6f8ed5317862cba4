//! Learn: a lesson changes the policy, which is published as a read model in the same commit.

use homeostat_flow::{Context, Effects, Input, Stage, State, Step, StepError, Verdict};
use homeostat_policy::Policy;
use homeostat_schema::types;

use crate::{
    entry::{self, LearnEntry},
    name,
    snapshot::Versioned,
    view,
};

/// Learns with one frozen configuration.
pub struct Learn {
    frozen: Versioned,
}

impl Learn {
    /// Learns at this configuration's rates.
    pub fn new(frozen: Versioned) -> Self {
        Self { frozen }
    }
}

impl Step for Learn {
    type Hand = ();

    fn stage(&self) -> Stage {
        name::LEARN
    }

    fn apply(&self, (): &mut (), _: &Context, input: &Input, state: &State) -> Result<Verdict, StepError> {
        let known = Policy::decode(state.get(name::POLICY_FIELD));
        let mut policy = known.map_err(|error| StepError(error.to_string()))?;
        let entry = entry::decode(&input.payload).map_err(|error| StepError(error.to_string()))?;
        let LearnEntry::Sample(sample) = entry;
        let line = entry::encode(&sample);
        policy.learn(&types::Sample::from(sample), &self.frozen.config.learning);
        let encoded = policy.encode();
        Ok(Verdict::Done(Effects {
            state: vec![(name::POLICY_FIELD.to_owned(), Some(encoded.clone()))],
            writes: view::lesson(encoded, line),
            ..Effects::default()
        }))
    }
}
