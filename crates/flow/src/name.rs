//! The names of stages and shards, and the Redis keys made of them, in one place.
//!
//! Ringer and clearer of a bell must build its name in one function: the prototype's only
//! stuck run set one name and cleared another.

use std::fmt;

/// Everything Homeostat keeps in Redis begins with this.
pub const PREFIX: &str = "hs:";

/// Read models begin with this; [`crate::step::Write`] keys are relative to it.
pub const VIEW_PREFIX: &str = "hs:v:";

/// The longest shard name: an environment's name is a short word, and keys are in every command.
pub const SHARD_NAME_BYTES_MAX: usize = 128;

/// The key of a read model.
pub fn view_key(key: &str) -> String {
    format!("{VIEW_PREFIX}{key}")
}

/// The stream of dead letters.
pub fn dead_key() -> String {
    format!("{PREFIX}dead")
}

/// The hash of counters.
pub fn counters_key() -> String {
    format!("{PREFIX}cnt")
}

/// The clock offset in milliseconds; only the embedded host's test mode sets it.
pub fn clock_key() -> String {
    format!("{PREFIX}clock")
}

/// The set of shards that were ever written to.
pub fn shards_key() -> String {
    format!("{PREFIX}shards")
}

/// What this installation was set up with.
pub fn cell_key() -> String {
    format!("{PREFIX}cell")
}

/// A set of event ids (as 64-bit hashes) seen on one day.
pub fn seen_key(day: i64, bucket: u64) -> String {
    format!("{PREFIX}seen:{day}:{bucket}")
}

/// The keys of one stage in one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The inbox, a stream.
    Inbox,
    /// The lease's token.
    Lease,
    /// "A bell was rung and not yet answered."
    Bell,
    /// Cursor, commit number and the like.
    Meta,
    /// Tries and last errors of inputs that failed alone.
    Tries,
    /// The state fields.
    State,
    /// The timers, by due time.
    Due,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "in",
            Self::Lease => "lease",
            Self::Bell => "bell",
            Self::Meta => "meta",
            Self::Tries => "tries",
            Self::State => "st",
            Self::Due => "due",
        }
    }
}

/// The key of `kind` for `stage` in `shard`: `hs:<shard>:<kind>:<stage>`.
pub fn key(kind: Kind, stage: Stage, shard: &Shard) -> String {
    format!("{PREFIX}{shard}:{}:{stage}", kind.as_str())
}

/// The keys every script starts with, in the order of `lua/prelude.lua`.
pub(crate) fn home_keys(stage: Stage, shard: &Shard) -> Vec<String> {
    let of = |kind| key(kind, stage, shard);
    vec![
        of(Kind::Inbox),
        of(Kind::Lease),
        of(Kind::Bell),
        of(Kind::Meta),
        of(Kind::Tries),
        of(Kind::State),
        of(Kind::Due),
        dead_key(),
        counters_key(),
        clock_key(),
        shards_key(),
    ]
}

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

    /// The environment whose shard this is.
    pub fn env(&self) -> Option<&str> {
        self.0.strip_prefix("env:")
    }

    /// The shard of one place outside that is told something.
    pub fn outlet(name: &str) -> Self {
        Self(format!("out:{name}"))
    }

    /// Whether this is the shard of a place outside.
    pub fn is_outlet(&self) -> bool {
        self.0.starts_with("out:")
    }

    /// Reads a shard's name as a doorbell carries it; `None` for what no shard is called.
    pub fn parse(name: &str) -> Option<Self> {
        let is_index = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let known = name == "global"
            || name.strip_prefix('s').is_some_and(is_index)
            || name.strip_prefix("env:").is_some_and(|env| !env.is_empty())
            || name.strip_prefix("out:").is_some_and(|outlet| !outlet.is_empty());
        (known && name.len() <= SHARD_NAME_BYTES_MAX).then(|| Self(name.to_owned()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_channels_never_change() {
        let (stage, shard) = (Stage::new("detect"), Shard::service(3));
        let kinds = [Kind::Inbox, Kind::Lease, Kind::Bell, Kind::Meta, Kind::Tries, Kind::State, Kind::Due];
        let keys: Vec<_> = kinds.iter().map(|kind| key(*kind, stage, &shard)).collect();
        let expected = [
            "hs:s3:in:detect",
            "hs:s3:lease:detect",
            "hs:s3:bell:detect",
            "hs:s3:meta:detect",
            "hs:s3:tries:detect",
            "hs:s3:st:detect",
            "hs:s3:due:detect",
        ];
        assert_eq!(keys, expected);
        assert_eq!(home_keys(stage, &shard).get(..7), Some(&expected.map(str::to_owned)[..]));
        assert_eq!(stage.channel(), "hs:detect");
        assert_eq!(seen_key(20_000, 7), "hs:seen:20000:7");
    }

    #[test]
    fn only_what_a_shard_is_called_is_read_as_one() {
        let check =
            |name: &str, expected: bool| assert_eq!(Shard::parse(name).is_some(), expected, "{name:?}");
        check("s0", true);
        check("s12", true);
        check("global", true);
        check("env:prod", true);
        check("s", false);
        check("s-1", false);
        check("env:", false);
        check("out:team", true);
        check("out:", false);
        check("", false);
        check(&format!("env:{}", "x".repeat(SHARD_NAME_BYTES_MAX)), false);
    }
}
