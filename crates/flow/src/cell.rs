//! A cell: one Redis primary, a fixed number of shards, the stages of the installation.

use crate::name::{Shard, Stage, cell_key};
use crate::redis::{Redis, RedisError};

/// What an installation is made of. The shard count is fixed when it is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    shards: u32,
    stages: Vec<Stage>,
}

/// Why a cell cannot start.
#[derive(Debug, thiserror::Error)]
pub enum CellError {
    /// Services would land in other shards than their state is in.
    #[error(
        "this installation was set up with {stored} shards, but {configured} are configured; \
         set shards = {stored}, or start on an empty Redis"
    )]
    ShardsDiffer {
        /// What Redis remembers.
        stored: String,
        /// What was asked for.
        configured: u32,
    },
    /// Redis did not answer.
    #[error("could not read the cell's set-up from Redis")]
    Redis(#[from] RedisError),
}

impl Cell {
    /// A cell of `shards` service shards (at least one) with these stages.
    pub fn new(shards: u32, stages: &[Stage]) -> Self {
        Self { shards: shards.max(1), stages: stages.to_vec() }
    }

    /// The number of service shards.
    pub fn shards(&self) -> u32 {
        self.shards
    }

    /// The stages, in the order they were given.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// The stage of that name.
    pub fn stage(&self, name: &str) -> Option<Stage> {
        self.stages.iter().copied().find(|stage| stage.as_str() == name)
    }

    /// The shard a service's events go to; `key` is its environment and service.
    pub fn shard_of(&self, key: &str) -> Shard {
        shard_of(key, self.shards)
    }

    /// Remembers the shard count in Redis at the first start, compares it at every later one.
    ///
    /// # Errors
    /// [`CellError::ShardsDiffer`] when the installation has another count.
    pub async fn check<R: Redis>(&self, redis: &R) -> Result<(), CellError> {
        let key = cell_key();
        let shards = self.shards.to_string();
        redis.command("HSETNX", &[key.as_bytes(), b"shards", shards.as_bytes()]).await?;
        let reply = redis.command("HGET", &[key.as_bytes(), b"shards"]).await?;
        let stored = reply.first().map(crate::redis::Reply::text).unwrap_or_default();
        if stored == shards {
            Ok(())
        } else {
            Err(CellError::ShardsDiffer { stored, configured: self.shards })
        }
    }
}

/// The shard of a service: FNV-1a over the key's bytes, its halves folded, modulo the shards.
///
/// Stable for ever: changing it would part services from their state.
pub fn shard_of(key: &str, shards: u32) -> Shard {
    let hash = fnv1a(key.as_bytes());
    let folded = (hash >> 32) ^ (hash & 0xffff_ffff);
    let index = folded % u64::from(shards.max(1));
    Shard::service(u32::try_from(index).unwrap_or(0))
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo).
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv1a() {
        // From the authors' test vectors.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn the_shard_of_a_service_never_changes() {
        let check =
            |key: &str, shards: u32, expected: &str| assert_eq!(shard_of(key, shards).as_str(), expected);
        check("prod/checkout", 4, "s3");
        check("stage/shop", 4, "s1");
        check("unknown/unassigned", 16, "s5");
        check("", 4, "s1");
        check("prod/checkout", 0, "s0");
    }

    #[test]
    fn services_spread_over_all_shards() {
        let mut counts = [0_u32; 4];
        for service in 0..400 {
            let shard = shard_of(&format!("prod/service-{service}"), 4);
            let index = shard.as_str().trim_start_matches('s').parse::<usize>().unwrap();
            counts[index] += 1;
        }
        assert!(counts.iter().all(|count| (60..=140).contains(count)), "{counts:?}");
    }
}
