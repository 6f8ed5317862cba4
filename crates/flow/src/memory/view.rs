//! Read models in memory.

use std::collections::BTreeMap;

use crate::step::Write;

/// One read model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// Written with [`Write::Set`].
    Value {
        /// The whole value.
        value: Vec<u8>,
        /// When it ends, in milliseconds since the epoch.
        until_ms: Option<u64>,
    },
    /// Written with [`Write::HashSet`] and [`Write::Add`].
    Hash(BTreeMap<String, Vec<u8>>),
    /// Written with [`Write::Rank`]: score by member.
    Ranking(BTreeMap<String, u64>),
    /// Written with [`Write::Append`], oldest first.
    List(Vec<Vec<u8>>),
}

impl View {
    /// The value, of a plain one.
    pub fn value(&self) -> Option<&[u8]> {
        if let Self::Value { value, .. } = self { Some(value) } else { None }
    }

    /// A field, of a hash.
    pub fn field(&self, field: &str) -> Option<&[u8]> {
        if let Self::Hash(hash) = self { hash.get(field).map(Vec::as_slice) } else { None }
    }

    pub(crate) fn is_over(&self, now_ms: u64) -> bool {
        matches!(self, Self::Value { until_ms: Some(until), .. } if *until <= now_ms)
    }
}

/// Applies a write, or says why it cannot be.
pub(crate) fn apply(views: &mut BTreeMap<String, View>, write: &Write, now_ms: u64) -> Result<(), String> {
    let key = write.key().to_owned();
    if let Write::Delete { .. } = write {
        views.remove(&key);
        return Ok(());
    }
    if views.get(&key).is_some_and(|view| view.is_over(now_ms)) {
        views.remove(&key);
    }
    let clash = || format!("WRONGTYPE hs:v:{key}");
    let view = views.entry(key.clone()).or_insert_with(|| empty(write));
    match (write, view) {
        (Write::Set { value, ttl_ms, .. }, View::Value { value: old, until_ms }) => {
            value.clone_into(old);
            *until_ms = ttl_ms.map(|ttl| now_ms + ttl);
        }
        (Write::HashSet { field, value, .. }, View::Hash(hash)) => {
            hash.insert(field.clone(), value.clone());
        }
        (Write::Add { field, by, .. }, View::Hash(hash)) => {
            let sum =
                add(hash.get(field), *by).ok_or_else(|| format!("BADNUMBER in hs:v:{key} field {field}"))?;
            hash.insert(field.clone(), sum.to_string().into_bytes());
        }
        (Write::Rank { member, score, keep, .. }, View::Ranking(members)) => {
            members.insert(member.clone(), *score);
            drop_lowest(members, *keep);
        }
        (Write::Unrank { member, .. }, View::Ranking(members)) => {
            members.remove(member);
        }
        (Write::Append { payload, keep, .. }, View::List(entries)) => {
            entries.push(payload.clone());
            let over = entries.len().saturating_sub(usize::try_from(*keep).unwrap_or(usize::MAX));
            entries.drain(..over);
        }
        _ => return Err(clash()),
    }
    if matches!(views.get(&key), Some(View::Ranking(members)) if members.is_empty()) {
        views.remove(&key);
    }
    Ok(())
}

fn empty(write: &Write) -> View {
    match write {
        Write::Set { .. } | Write::Delete { .. } => View::Value { value: vec![], until_ms: None },
        Write::HashSet { .. } | Write::Add { .. } => View::Hash(BTreeMap::new()),
        Write::Rank { .. } | Write::Unrank { .. } => View::Ranking(BTreeMap::new()),
        Write::Append { .. } => View::List(Vec::new()),
    }
}

fn add(old: Option<&Vec<u8>>, by: i64) -> Option<i64> {
    let Some(old) = old else { return Some(by) };
    std::str::from_utf8(old).ok()?.parse::<i64>().ok()?.checked_add(by)
}

fn drop_lowest(members: &mut BTreeMap<String, u64>, keep: u32) {
    let over = members.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
    let mut by_score: Vec<_> = members.iter().map(|(member, score)| (*score, member.clone())).collect();
    by_score.sort();
    for (_, member) in by_score.into_iter().take(over) {
        members.remove(&member);
    }
}
