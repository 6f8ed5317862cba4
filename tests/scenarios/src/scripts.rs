//! The flow's scripts by their digests, so that a fault can name a fetch or a commit.

use anyhow::Result;
use homeostat_adapter_native::NativeRedis;
use homeostat_flow::Redis;
use sha1::{Digest, Sha1};

macro_rules! source {
    ($name:literal) => {
        concat!(
            include_str!("../../../crates/flow/src/lua/prelude.lua"),
            include_str!(concat!("../../../crates/flow/src/lua/", $name, ".lua"))
        )
    };
}

/// A script of the flow that a fault can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// Takes work.
    Fetch,
    /// Puts results back.
    Commit,
    /// Takes an event in.
    Ingest,
}

impl Script {
    fn source(self) -> &'static str {
        match self {
            Self::Fetch => source!("fetch"),
            Self::Commit => source!("commit"),
            Self::Ingest => source!("ingest"),
        }
    }

    /// As Redis knows it, and as the components call it.
    pub(crate) fn digest(self) -> Vec<u8> {
        let digest = Sha1::digest(self.source().as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes()
    }
}

/// Makes Redis know them, so that no component's first call is in vain.
pub(crate) async fn load(redis: &NativeRedis) -> Result<()> {
    for script in [Script::Fetch, Script::Commit, Script::Ingest] {
        redis.command("SCRIPT", &[b"LOAD", script.source().as_bytes()]).await?;
    }
    Ok(())
}
