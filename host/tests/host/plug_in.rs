//! What the host composes, what it refuses to, and how far a bounded component may go.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use homeostat::plug_in::{PlugIn, compose};

use crate::support::{HTTP, PATIENCE, Say, Scene, body, get};

const SOURCE: &str = "homeostat:schema/source@1.0.0";

fn component(name: &str) -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/components").join(name);
    path.canonicalize().with_context(|| format!("{}: run `cargo xtask components` first", path.display()))
}

/// What composing the plug-in in this text says.
fn refusal(plug_in: &str) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("plug_in.wasm");
    std::fs::write(&path, wat::parse_str(plug_in)?)?;
    let plug_in = PlugIn { interface: SOURCE.to_owned(), path };
    let whole = compose(std::fs::read(component("webhook_plugin.wasm")?)?, &[plug_in]);
    Ok(whole.err().context("it was composed")?.to_string())
}

#[test]
fn a_component_and_its_plug_in_become_one_the_same_each_time() -> Result<()> {
    let plug_in = PlugIn { interface: SOURCE.to_owned(), path: component("plugin_none.wasm")? };
    let webhook = std::fs::read(component("webhook_plugin.wasm")?)?;
    let first = compose(webhook.clone(), std::slice::from_ref(&plug_in))?;
    ensure!(first.len() > webhook.len());
    // Compiled code is kept by content.
    ensure!(first == compose(webhook, &[plug_in])?);
    Ok(())
}

#[test]
fn a_plug_in_that_wants_network_files_stores_or_variables_is_refused() -> Result<()> {
    for import in [
        "wasi:sockets/tcp@0.2.6",
        "wasi:http/outgoing-handler@0.2.6",
        "wasi:filesystem/preopens@0.2.6",
        "spin:redis/redis@3.0.0",
        "spin:variables/variables@3.0.0",
        "spin:key-value/key-value@3.0.0",
        "example:own/thing@1.0.0",
    ] {
        let said = refusal(&format!("(component (import \"{import}\" (instance)))"))?;
        ensure!(said.contains(import) && said.contains("docs/plug-ins.md"), "{said}");
    }
    Ok(())
}

#[test]
fn what_is_no_plug_in_is_refused_by_name() -> Result<()> {
    let said = refusal("(component)")?;
    ensure!(said.contains("plug_in.wasm") && said.contains(SOURCE), "{said}");
    let said = refusal("(module)")?;
    ensure!(said.contains("plug_in.wasm"), "{said}");
    let said = refusal(&format!("(component (instance $i) (export \"{SOURCE}\" (instance $i)))"))?;
    ensure!(said.contains(SOURCE), "{said}");
    let nowhere = PlugIn { interface: SOURCE.to_owned(), path: "/no/such/file.wasm".into() };
    let said = compose(std::fs::read(component("webhook_plugin.wasm")?)?, &[nowhere]);
    ensure!(said.err().context("it was composed")?.to_string().contains("/no/such/file.wasm"));
    Ok(())
}

#[tokio::test]
async fn guest_code_that_runs_too_long_is_ended_long_before_the_request_is() -> Result<()> {
    let grants = "[component.probe.tool.homeostat]\ncpu_ms_max = 100";
    let scene = Scene::new(&Say { triggers: HTTP, grants, ..Say::default() })?;
    let running = scene.start().await?;
    let begun = std::time::Instant::now();
    ensure!(get(&running, "/loop", "").await?.0 == 500);
    ensure!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    body(&running, "/hello", "").await?;
    running.shutdown().await;
    Ok(())
}
