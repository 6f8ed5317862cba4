//! A webhook that was let in, up to its answer.

use homeostat_flow::{Redis, ScriptStore};
use homeostat_schema::config::Config;
use homeostat_schema::types::Status;
use homeostat_sources::gate::Pace;
use homeostat_sources::ingest::{self, Outcome};
use homeostat_sources::{Delivery, Item, Normalised, Share, normalise};

use crate::answer::{Answer, Problem};
use crate::intake::submit;
use crate::kept::keep;
use crate::letters::{Keeper, bury};

/// Reads a delivery, stores its events, keeps it for replay where there is a key, and answers.
///
/// # Errors
/// [`Problem`] when a store is down or full: nothing may be acknowledged. What was stored before
/// is safe to send again.
pub async fn take<R: Redis>(
    store: &ScriptStore<R>,
    config: &Config,
    keeper: &Keeper,
    pace: Pace,
    delivery: &Delivery<'_>,
) -> Result<Answer, Problem> {
    let normalised = normalise(delivery, config);
    if pace == Pace::Over && !resolves(&normalised) {
        return Ok(ingest::unavailable());
    }
    match normalised {
        Normalised::Items(items) => {
            let outcomes = submit(store, &items).await?;
            keep(store.redis(), keeper, delivery, &outcomes).await;
            Ok(ingest::answer(&outcomes))
        }
        Normalised::Ignored(why) => Ok(ingest::ignored(&why)),
        Normalised::NotUnderstood(why) => {
            bury(store.redis(), keeper, delivery, &why).await?;
            Ok(ingest::answer(&[Outcome::Ignored { why: why.to_string() }]))
        }
        Normalised::Batch(shares) => batch(store, keeper, delivery, shares).await,
    }
}

/// Whether it says that something is over: that is never shed, however much comes with it.
fn resolves(normalised: &Normalised) -> bool {
    let over = |item: &Item| item.event.status == Status::Resolved;
    match normalised {
        Normalised::Items(items) => items.iter().any(over),
        Normalised::Batch(shares) => {
            shares.iter().any(|share| matches!(share, Share::Item(item) if over(item)))
        }
        Normalised::Ignored(_) | Normalised::NotUnderstood(_) => false,
    }
}

/// A batch is answered share by share, and is one letter whatever the number of its faults.
async fn batch<R: Redis>(
    store: &ScriptStore<R>,
    keeper: &Keeper,
    delivery: &Delivery<'_>,
    shares: Vec<Share>,
) -> Result<Answer, Problem> {
    let mut outcomes = Vec::with_capacity(shares.len());
    let mut fault = None;
    for share in shares {
        match share {
            Share::Item(item) => outcomes.extend(submit(store, std::slice::from_ref(&*item)).await?),
            Share::Ignored(why) => outcomes.push(Outcome::Ignored { why }),
            Share::NotUnderstood(why) => {
                outcomes.push(Outcome::Ignored { why: why.to_string() });
                fault.get_or_insert(why);
            }
        }
    }
    if let Some(why) = fault {
        bury(store.redis(), keeper, delivery, &why).await?;
    }
    keep(store.redis(), keeper, delivery, &outcomes).await;
    Ok(ingest::answer(&outcomes))
}
