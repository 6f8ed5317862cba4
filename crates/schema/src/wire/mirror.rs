//! How a generated type and its JSON form become each other, field by field.

use super::attributes::Attributes;
use crate::number::saturated;
use crate::types;

/// A total conversion of one field; the identity for what has one form only.
pub(crate) trait Mirror<T> {
    fn mirror(self) -> T;
}

macro_rules! same {
    ($($ty:ty),* $(,)?) => {$(
        impl Mirror<$ty> for $ty {
            fn mirror(self) -> $ty {
                self
            }
        }
    )*};
}

same!(String, bool, u16, u32, u64);
same!(types::EventKind, types::Status, types::FindingKind, types::Remedy, types::Guard, types::Verdict);
same!(types::Severity, types::Mode, types::Decision, types::AttemptResult, types::OutcomeKind);
same!(types::OperatorVerb, types::IncidentState);

impl Mirror<f64> for f64 {
    fn mirror(self) -> f64 {
        saturated(self)
    }
}

impl Mirror<Attributes> for Vec<(String, String)> {
    fn mirror(self) -> Attributes {
        Attributes(self)
    }
}

impl Mirror<Vec<(String, String)>> for Attributes {
    fn mirror(self) -> Vec<(String, String)> {
        self.0
    }
}

impl<A: Mirror<B>, B> Mirror<Option<B>> for Option<A> {
    fn mirror(self) -> Option<B> {
        self.map(Mirror::mirror)
    }
}

impl<A: Mirror<B>, B> Mirror<Vec<B>> for Vec<A> {
    fn mirror(self) -> Vec<B> {
        self.into_iter().map(Mirror::mirror).collect()
    }
}

/// Ties a generated type to the form of the same name in this module: `From` and [`Mirror`] call
/// each other's impls, [`Wire`](super::Wire), and serde of the generated type through its form.
macro_rules! tie {
    ($name:ident) => {
        impl $crate::wire::mirror::Mirror<$name> for $crate::types::$name {
            fn mirror(self) -> $name {
                self.into()
            }
        }

        impl $crate::wire::mirror::Mirror<$crate::types::$name> for $name {
            fn mirror(self) -> $crate::types::$name {
                self.into()
            }
        }

        impl $crate::wire::Wire for $crate::types::$name {
            type Form = $name;
        }

        impl serde::Serialize for $crate::types::$name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(&$name::from(Clone::clone(self)), serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $crate::types::$name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <$name as serde::Deserialize>::deserialize(deserializer).map(Into::into)
            }
        }
    };
}

/// The JSON form of a record: a struct with the same fields, and everything [`tie!`] gives.
macro_rules! record {
    ($name:ident { $($(#[$attribute:meta])* $field:ident: $ty:ty),* $(,)? }) => {
        #[doc = concat!("JSON form of [`types::", stringify!($name), "`](crate::types::", stringify!($name), ").")]
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $(
                #[doc = concat!("See [`types::", stringify!($name), "`](crate::types::", stringify!($name), ").")]
                $(#[$attribute])*
                pub $field: $ty,
            )*
        }

        impl From<$crate::types::$name> for $name {
            fn from(value: $crate::types::$name) -> Self {
                Self { $($field: $crate::wire::mirror::Mirror::mirror(value.$field),)* }
            }
        }

        impl From<$name> for $crate::types::$name {
            fn from(form: $name) -> Self {
                Self { $($field: $crate::wire::mirror::Mirror::mirror(form.$field),)* }
            }
        }

        $crate::wire::mirror::tie!($name);
    };
}

pub(crate) use {record, tie};
