//! The names of stages and shards, and the Redis keys made of them, in one place.
//!
//! Ringer and clearer of a bell must build its name in one function: the prototype's only
//! stuck run set one name and cleared another.

use std::fmt;

/// A step of the loop with an inbox of its own, such as `detect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stage(&'static str);

impl Stage {
    /// Names a stage; lower-case letters only, as it becomes part of keys and channels.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The bare name, such as `detect`.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// The channel that rings this stage: `hs:<stage>`. The payload is the shard's name.
    pub fn channel(self) -> String {
        format!("hs:{}", self.0)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}

/// A part of the work with its own order: a service shard, an environment, or the whole cell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(String);

impl Shard {
    /// The service shard number `index`: `s0`, `s1`, ….
    pub fn service(index: u32) -> Self {
        Self(format!("s{index}"))
    }

    /// The shard for what the whole cell shares: policy, breakers, global budgets.
    pub fn global() -> Self {
        Self("global".to_owned())
    }

    /// The shard of what one environment shares.
    pub fn environment(name: &str) -> Self {
        Self(format!("env:{name}"))
    }

    /// The shard's name, as carried by a doorbell.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
