//! Which events were seen: sets of 64-bit hashes, by day, in buckets small enough that Redis
//! packs them (about 9 bytes an id).
//!
//! What it does not do: it has no clock; the caller says which day an event belongs to.

use sha1::{Digest, Sha1};

use crate::name::seen_key;
use crate::redis::{Redis, RedisError, Reply};

/// Days before an event's own in which it may have been seen: the sender's longest redelivery, 72 h.
pub const SEEN_DAYS_BACK: i64 = 3;

/// Days after it, for senders whose clock is behind.
pub const SEEN_DAYS_AHEAD: i64 = 1;

/// Sets a day. Redis packs a set of up to 512 numbers, so this is good for some 7.5 million ids a
/// day, which is 2.5 million deliveries known by three ids each; beyond that an id costs 75 bytes
/// instead of 9. Measured: docs/benchmarks.md.
pub const SEEN_BUCKETS: u64 = 16_384;

/// How long a set lives: its own day, the days back and ahead.
pub const SEEN_LIFE_MS: u64 = 86_400_000 * 5;

/// Sets looked into for each id.
pub(crate) const SETS_PER_ID: i64 = SEEN_DAYS_BACK + SEEN_DAYS_AHEAD + 1;

/// Milliseconds since the epoch to days since the epoch.
pub fn day_of(at_ms: u64) -> i64 {
    i64::try_from(at_ms / 86_400_000).unwrap_or(i64::MAX / 2)
}

/// The number an id is kept as, and its bucket, from different bits of one digest.
///
/// The digest is cryptographic because senders choose ids: nobody may aim for another's number.
pub(crate) fn number_and_bucket(id: &str) -> (i64, u64) {
    let digest = Sha1::digest(id.as_bytes());
    let mut number = [0_u8; 8];
    let mut bucket = [0_u8; 8];
    for (to, from) in number.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
    for (to, from) in bucket.iter_mut().zip(digest.iter().skip(8)) {
        *to = *from;
    }
    (i64::from_be_bytes(number), u64::from_be_bytes(bucket) % SEEN_BUCKETS)
}

/// The sets to look into for an id; the first is the one it is kept in.
pub(crate) fn sets(day: i64, bucket: u64) -> Vec<String> {
    let mut days = vec![day];
    days.extend((1..=SEEN_DAYS_BACK).map(|back| day - back));
    days.extend((1..=SEEN_DAYS_AHEAD).map(|ahead| day + ahead));
    days.into_iter().map(|day| seen_key(day, bucket)).collect()
}

/// Whether an id was seen on this day, or on those before and after it that are looked into.
///
/// # Errors
/// [`RedisError`] as of every command.
pub async fn is_seen<R: Redis>(redis: &R, id: &str, day: i64) -> Result<bool, RedisError> {
    let (number, bucket) = number_and_bucket(id);
    let number = number.to_string();
    for set in sets(day, bucket) {
        let reply = redis.command("SISMEMBER", &[set.as_bytes(), number.as_bytes()]).await?;
        if reply.first().and_then(Reply::number) == Some(1) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_looked_for_on_its_own_day_first() {
        assert_eq!(
            sets(10, 7),
            ["hs:seen:10:7", "hs:seen:9:7", "hs:seen:8:7", "hs:seen:7:7", "hs:seen:11:7"]
        );
        assert_eq!(i64::try_from(sets(10, 7).len()), Ok(SETS_PER_ID));
    }

    #[test]
    fn the_number_of_an_id_never_changes() {
        // SHA-1("abc") = a9993e36 4706816a ba3e2571 7850c26c 9cd0d89d.
        let (number, bucket) = number_and_bucket("abc");
        assert_eq!(number, i64::from_be_bytes([0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a]));
        assert_eq!(bucket, 0xba3e_2571_7850_c26c_u64 % SEEN_BUCKETS);
    }
}
