//! Labels, annotations and tags: what monitors and clusters describe things with.
//!
//! What this does not do: decide what a label means beyond service, environment and version.
//!
//! Invariant: what is kept is bounded by the types here, whatever the body holds.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use homeostat_schema::wire::flat::{self, TEXT_CHARS_MAX, URL_BYTES_MAX};
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use crate::json::bounded;
use crate::lenient::Word;

/// An address; one character more than kept, so that one that is too long is seen to be.
pub(crate) type Address = Word<{ URL_BYTES_MAX + 1 }>;

/// It, when a page may link to it.
pub(crate) fn link(address: &Address) -> Option<String> {
    flat::safe_url(address.as_str()?)
}

/// The first `N` items of a list; the others are walked over and counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Firsts<T, const N: usize> {
    pub(crate) items: Vec<T>,
    /// How many more there are.
    pub(crate) beyond: u64,
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Firsts<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take<T, const N: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for Take<T, N> {
            type Value = Firsts<T, N>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut taken = Firsts { items: Vec::new(), beyond: 0 };
                while taken.items.len() < N {
                    match list.next_element()? {
                        Some(item) => taken.items.push(item),
                        None => return Ok(taken),
                    }
                }
                while list.next_element::<IgnoredAny>()?.is_some() {
                    taken.beyond += 1;
                }
                Ok(taken)
            }
        }
        deserializer.deserialize_seq(Take(PhantomData))
    }
}

/// Names with a text each: labels, annotations, tags. The first [`PAIRS_MAX`] are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pairs(pub(crate) BTreeMap<String, String>);

/// Labels kept of one object. Kubernetes and Prometheus set no bound; real ones have some ten.
pub(crate) const PAIRS_MAX: usize = 128;

impl Pairs {
    /// The first of these names that is there.
    pub(crate) fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.0.get(*name)).cloned()
    }

    /// The one of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// From a list like `env:prod, team:shop`; words without a value are left out, and of a name
    /// that is there twice the first counts.
    pub(crate) fn of_tags(list: &str) -> Self {
        let pair = |tag: &str| {
            let (name, value) = tag.split_once(':')?;
            Some((bounded(name, TEXT_CHARS_MAX)?, bounded(value, TEXT_CHARS_MAX)?))
        };
        let mut pairs = Self::default();
        for (name, value) in list.split(',').filter_map(pair).take(PAIRS_MAX) {
            pairs.0.entry(name).or_insert(value);
        }
        pairs
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Labels;
        impl<'de> Visitor<'de> for Labels {
            type Value = Pairs;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object of texts")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Pairs, E> {
                Ok(Pairs::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Pairs, A::Error> {
                let mut pairs = BTreeMap::new();
                while let Some((name, value)) = fields.next_entry::<Word, Word>()? {
                    let (Some(name), Some(value)) = (name.0, value.0) else { continue };
                    if pairs.len() == PAIRS_MAX {
                        continue;
                    }
                    if pairs.insert(name, value).is_some() {
                        // Which one counts would be a guess.
                        return Err(de::Error::custom("a name given twice"));
                    }
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_any(Labels)
    }
}

/// Which labels or tags name what; the first that is there counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LabelNames<'a> {
    pub(crate) env: &'a [&'a str],
    pub(crate) service: &'a [&'a str],
    pub(crate) version: &'a [&'a str],
}

/// What teams call them unless they say otherwise.
pub(crate) const LABEL_NAMES: LabelNames<'static> =
    LabelNames { env: &["env", "environment"], service: &["service", "app", "job"], version: &["version"] };

impl LabelNames<'_> {
    /// Puts the service, environment and version that these labels name into a draft.
    pub(crate) fn describe(&self, draft: &mut flat::Draft, labels: &Pairs) {
        draft.env_name = labels.first(self.env);
        draft.service_name = labels.first(self.service);
        draft.version = labels.first(self.version);
    }
}

/// For senders that number nothing and whose states can go back: the second it happened counts as
/// the attempt, so that a later state is a newer one, and the same state in the same second is one.
pub(crate) fn second_of(at_ms: Option<u64>) -> u32 {
    at_ms.and_then(|ms| u32::try_from(ms / 1000).ok()).map_or(1, |second| second.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_is_cut_and_what_is_beyond_is_counted() {
        let list: Firsts<u8, 2> = serde_json::from_value(json!([1, 2, "three", {"four": 4}])).unwrap();
        assert_eq!(list, Firsts { items: vec![1, 2], beyond: 2 });
        let list: Firsts<u8, 2> = serde_json::from_value(json!([1])).unwrap();
        assert_eq!(list, Firsts { items: vec![1], beyond: 0 });
    }

    #[test]
    fn labels_take_any_scalar_and_refuse_a_name_given_twice() {
        let labels: Pairs = serde_json::from_str(r#"{"a":"x","b":2,"c":null,"d":{"e":[1]}}"#).unwrap();
        assert_eq!(
            labels.0.into_iter().collect::<Vec<_>>(),
            [("a".into(), "x".into()), ("b".into(), "2".into())]
        );
        assert!(serde_json::from_str::<Pairs>(r#"{"a":"x","a":"y"}"#).is_err());
        assert_eq!(serde_json::from_str::<Pairs>("null").unwrap(), Pairs::default());
    }

    #[test]
    fn tags_are_pairs_with_the_first_of_a_name() {
        let tags = Pairs::of_tags("env:prod, bare,url:http://x , env:dev,:x,y:");
        assert_eq!(tags.get("env"), Some("prod"));
        assert_eq!(tags.get("url"), Some("http://x"));
        assert_eq!(tags.0.len(), 2);
    }
}
