//! When a step is over: nothing can move any more without another step.
//!
//! Work may be left then: behind the lease of a worker that died, behind a bell that nobody heard or
//! whose hearer died, or handed back until a tick.

use std::time::Duration;

use anyhow::{Context, Result};
use homeostat_flow::name::{Kind, key};
use homeostat_flow::store::Lag;
use homeostat_flow::{Redis, Reply, Store};
use homeostat_testkit::server::eventually;

use crate::stage::Stage;

/// Many times what the longest step takes on a quiet machine.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);

/// Looks that must agree: between a bell and the handler that hears it is a moment with neither.
const AGREE: usize = 3;

impl Stage {
    /// Waits until nothing moves.
    pub(crate) async fn settle(&self) -> Result<()> {
        let mut agree = 0;
        eventually(SETTLED_WITHIN, async || {
            agree = if self.is_settled().await.unwrap_or(false) { agree + 1 } else { 0 };
            (agree >= AGREE).then_some(())
        })
        .await
        .with_context(|| format!("it does not come to rest within {SETTLED_WITHIN:?}"))
    }

    async fn is_settled(&self) -> Result<bool> {
        if self.faults.handling() != self.faults.held() {
            return Ok(false);
        }
        for lag in self.flow.store().lag().await? {
            if lag.unread + lag.due + lag.open > 0 && self.will_move(&lag).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the work of a stage in a shard is about to be taken up.
    async fn will_move(&self, lag: &Lag) -> Result<bool> {
        let component = component_of(lag.stage.as_str());
        let is_held = self.faults.held() > 0 && self.held.as_deref() == Some(component);
        if is_held || self.faults.is_deaf(component) {
            return Ok(false);
        }
        // With no handler at work, a lease is a dead worker's.
        let is_leased = self.exists(&key(Kind::Lease, lag.stage, &lag.shard)).await?;
        let is_rung = self.exists(&key(Kind::Bell, lag.stage, &lag.shard)).await?;
        Ok(is_rung && !is_leased)
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        let reply = self.flow.store().redis().command("EXISTS", &[key.as_bytes()]).await?;
        Ok(reply.first().and_then(Reply::number) == Some(1))
    }
}

/// The component that works on a stage.
pub(crate) fn component_of(stage: &str) -> &'static str {
    match stage {
        "detect" => "detector",
        "coordinate" => "coordinator",
        "plan" => "planner",
        "act" | "emit" | "reconcile" => "healer",
        _ => "policy-updater",
    }
}
