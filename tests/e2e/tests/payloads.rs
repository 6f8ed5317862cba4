//! Every payload GitHub publishes is taken: none is refused, none breaks anything.

use anyhow::{Context, Result, ensure};
use homeostat_e2e::{Stage, text};
use homeostat_testkit::landscape::workspace_root;
use homeostat_testkit::payloads::Payloads;

/// As many as version 7.6.1 of the package has.
const PUBLISHED: usize = 329;

#[tokio::test(flavor = "multi_thread")]
async fn every_payload_that_github_publishes_is_taken() -> Result<()> {
    let cache = workspace_root().join("target/octokit-webhooks-examples");
    let payloads =
        Payloads::from_npm(&cache).await.context("npm cannot be had: install it (apt-get install npm)")?;
    let stage = Stage::set().await?;
    let (mut sent, mut accepted) = (0, 0);
    for (event, payload) in payloads.all() {
        let delivery = format!("00000000-0000-4000-8000-{sent:012}");
        let answer = stage.github_hook(event, &delivery, payload.to_string().as_bytes()).await?;
        let status = answer.status().as_u16();
        ensure!(status == 200 || status == 202, "{event} number {sent}: {status} {}", text(&answer));
        sent += 1;
        accepted += homeostat_e2e::json(&answer)["accepted"].as_array().map_or(0, Vec::len);
    }
    ensure!(sent == PUBLISHED, "{sent} payloads instead of {PUBLISHED}");
    ensure!(accepted >= 10, "only {accepted} events were made of them");
    stage.is_sound().await
}
