//! Every payload GitHub publishes is taken: none is refused, none breaks anything, and of the events
//! that are read none is not understood.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use homeostat_e2e::{Stage, text};
use homeostat_sources::{Raw, Source};
use homeostat_testkit::landscape::workspace_root;
use homeostat_testkit::payloads::Payloads;
use http::HeaderMap;

/// As many as version 7.6.1 of the package has.
const PUBLISHED: usize = 329;

/// The package's folders, with how many payloads each has: of GitHub.com and of Enterprise Servers.
const FOLDERS: [(&str, usize); 6] = [
    ("api.github.com", PUBLISHED),
    ("ghes-31", 49),
    ("ghes-32", 49),
    ("ghes-33", 50),
    ("ghes-34", 124),
    ("ghes-35", 125),
];

/// The package, fetched when it is not there.
async fn package() -> Result<(PathBuf, Payloads)> {
    let cache = workspace_root().join("target/octokit-webhooks-examples");
    let payloads = Payloads::from_npm(&cache).await;
    let payloads = payloads.context("npm cannot be had: install it (apt-get install npm)")?;
    Ok((cache.join("package"), payloads))
}

#[tokio::test]
async fn every_payload_of_every_version_of_github_is_understood() -> Result<()> {
    let (package, _) = package().await?;
    for (folder, published) in FOLDERS {
        let payloads = Payloads::from_dir(&package.join(folder))?;
        let mut read = 0;
        for (event, payload) in payloads.all() {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", "application/json".parse()?);
            headers.insert("x-github-event", event.parse()?);
            headers.insert("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958".parse()?);
            let body = payload.to_string();
            let answer = Source::GITHUB.read(&Raw { headers: &headers, body: body.as_bytes() });
            answer
                .with_context(|| format!("{folder}: {event} number {read} is not understood: {payload}"))?;
            read += 1;
        }
        ensure!(read == published, "{folder} has {read} payloads instead of {published}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_payload_that_github_publishes_is_taken() -> Result<()> {
    let (_, payloads) = package().await?;
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
