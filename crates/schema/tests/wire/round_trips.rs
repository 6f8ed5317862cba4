//! Nothing is lost between a value and its JSON form.

use std::fmt::Debug;

use homeostat_schema::types::*;
use homeostat_schema::wire::{self, Wire};
use proptest::prelude::*;

use crate::strategies;

/// Through the form alone, through JSON, and through JSON from a version that knows more.
fn survives<T>(value: T) -> Result<(), TestCaseError>
where
    T: Wire + Debug + PartialEq + serde::Serialize + serde::de::DeserializeOwned,
{
    let form: T::Form = value.clone().into();
    prop_assert_eq!(&T::from(form), &value);
    let json = wire::encode(&value);
    let read = wire::decode::<T>(&json);
    prop_assert_eq!(read.as_ref().ok(), Some(&value), "{:?}", read.as_ref().err());
    prop_assert_eq!(&serde_json::to_vec(&value).ok(), &Some(json.clone()));
    let newer = String::from_utf8(json).unwrap().replacen('{', "{\"from_the_future\":[{\"a\":null}],", 1);
    prop_assert_eq!(wire::decode::<T>(newer.as_bytes()).ok(), Some(value));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn an_event_survives(value in strategies::event()) { survives(value)?; }

    #[test]
    fn a_finding_survives(value in strategies::finding()) { survives(value)?; }

    #[test]
    fn an_assessment_request_survives(value in strategies::assessment_request()) { survives(value)?; }

    #[test]
    fn an_assessment_survives(value in strategies::assessment()) { survives(value)?; }

    #[test]
    fn a_target_survives(value in strategies::target()) { survives(value)?; }

    #[test]
    fn a_plan_survives(value in strategies::plan()) { survives(value)?; }

    #[test]
    fn an_attempt_survives(value in strategies::attempt()) { survives(value)?; }

    #[test]
    fn an_outcome_survives(value in strategies::outcome()) { survives(value)?; }

    #[test]
    fn a_sample_survives(value in strategies::sample()) { survives(value)?; }

    #[test]
    fn an_operators_word_survives(value in strategies::operator_word()) { survives(value)?; }

    #[test]
    fn an_incident_survives(value in strategies::incident()) { survives(value)?; }

    #[test]
    fn a_time_survives(at in any::<u64>()) {
        survives(Release { version: None, commit: None, at })?;
    }

    #[test]
    fn any_float_is_written_as_a_finite_one(value in proptest::num::f64::ANY) {
        let signal = Signal { name: String::new(), value, unit: String::new(), samples: 1 };
        let read: Signal = wire::decode(&wire::encode(&signal)).unwrap();
        prop_assert!(read.value.is_finite());
        if value.is_finite() {
            prop_assert_eq!(read.value, value);
        }
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _answer = wire::decode::<Incident>(&bytes);
    }
}
