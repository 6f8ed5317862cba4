//! Events on their way into the store: the one function behind webhooks and the API alike.

use homeostat_flow::seen::day_of;
use homeostat_flow::{Ingest, Ingested, RedisError, Store, StoreError};
use homeostat_sources::Item;
use homeostat_sources::ingest::Outcome;
use homeostat_stages::entry::for_event;

/// Why not all items were stored. Those before are; sending all again is safe.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The store did not answer or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too much is waiting already.
    #[error("too much is waiting already")]
    Full,
}

/// Stores items in order; what became of each.
///
/// # Errors
/// [`IntakeError`] at the first item that could not be stored.
pub async fn submit<S: Store>(store: &S, items: &[Item]) -> Result<Vec<Outcome>, IntakeError> {
    let mut outcomes = Vec::with_capacity(items.len());
    for item in items {
        outcomes.push(one(store, item).await?);
    }
    Ok(outcomes)
}

async fn one<S: Store>(store: &S, item: &Item) -> Result<Outcome, IntakeError> {
    let output = for_event(&item.event, store.cell().shards());
    // What names nothing of its own is known by its new id at least, so that a lost answer and a
    // second try within this request do not store it twice.
    let own = [item.event.id.as_str()];
    let ids: Vec<&str> = item.dedupe.iter().map(String::as_str).collect();
    let ingest = Ingest {
        stage: output.stage,
        shard: &output.shard,
        ids: if ids.is_empty() { &own } else { &ids },
        day: day_of(item.event.received_at),
        fields: &output.fields,
        payload: &output.payload,
    };
    let first = store.ingest(&ingest).await;
    // A kept connection may have broken since: whether this was stored is then not known, and
    // asking again is safe. GitHub sends nothing twice, so one try is not enough.
    let again = matches!(first, Err(StoreError::Redis(RedisError::Unavailable(_))));
    match if again { store.ingest(&ingest).await? } else { first? } {
        Ingested::Accepted(_) => Ok(Outcome::Accepted { id: item.event.id.clone() }),
        Ingested::Duplicate => Ok(Outcome::Duplicate),
        Ingested::Full => Err(IntakeError::Full),
    }
}
