//! How the app stops, and what stops it from starting.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use homeostat_e2e::{STEP_WITHIN, Stage};
use homeostat_testkit::landscape::workspace_root;
use homeostat_testkit::runtime::{embedded_host_only, homeostat_binary};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_a_request_in_flight_finish_and_ends_with_success() -> Result<()> {
    if embedded_host_only(&workspace_root(), "Spin cuts requests off when it stops")? {
        return Ok(());
    }
    let mut stage = Stage::set().await?;
    let body = br#"{"event":"deployment","env":"dev","service":"shop","status":"success"}"#;
    let (begin, rest) = body.split_at(20);
    let address = stage.app.url().trim_start_matches("http://").to_owned();
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        stage.land.secrets().api,
        body.len()
    );
    let mut stream = TcpStream::connect(&address).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(begin).await?;
    stream.flush().await?;
    // Answered only once the request before it is being served: the app takes connections in order.
    ensure!(stage.send("GET", "/health", &[], b"").await?.status() == 200, "not healthy");

    stage.app.ask_to_stop()?;
    let heard = async || stage.app.log().contains("Stopping").then_some(());
    homeostat_testkit::server::eventually(STEP_WITHIN, heard)
        .await
        .with_context(|| format!("the signal was not heard: {}", stage.app.log_end()))?;
    stream.write_all(rest).await?;
    let mut answer = String::new();
    let read = tokio::time::timeout(STEP_WITHIN, stream.read_to_string(&mut answer)).await;
    read.context("no answer")?.context("the connection was cut")?;
    ensure!(answer.starts_with("HTTP/1.1 202"), "the request in flight was answered with: {answer}");
    let status = stage.app.wait_end().await?;
    ensure!(status.success(), "ended with {status}; {}", stage.app.log_end());
    Ok(())
}

/// A file that is wrong, and what must be said about it.
struct Wrong {
    file: &'static str,
    content: String,
    flag: &'static str,
    says: &'static [&'static str],
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_wrong_stops_the_start_with_file_line_and_expectation() -> Result<()> {
    let manifest = std::fs::read_to_string(workspace_root().join("spin.toml"))?;
    let wrongs = [
        Wrong {
            file: "spin.toml",
            content: manifest.replacen("spin_manifest_version = 2", "spin_manifest_version = 1", 1),
            flag: "--from",
            says: &["spin.toml:1", "2"],
        },
        Wrong {
            file: "spin.toml",
            content: manifest.replacen("route = \"/webhooks/...\"", "rout = \"/webhooks/...\"", 1),
            flag: "--from",
            says: &["spin.toml:", "rout"],
        },
        Wrong {
            file: "spin.toml",
            content: format!("{manifest}\n[[trigger.sqs]]\nqueue = \"q\"\n"),
            flag: "--from",
            says: &["spin.toml:", "sqs"],
        },
        Wrong {
            file: "runtime-config.toml",
            content: "[key_value_store.default]\ntype = \"azure_cosmos\"\n".to_owned(),
            flag: "--runtime-config-file",
            says: &["runtime-config.toml:", "azure_cosmos"],
        },
        Wrong {
            file: "homeostat.toml",
            content: "[environments.stage]\nmoed = \"act\"\n".to_owned(),
            flag: "--config",
            says: &["homeostat.toml", "2", "moed", "mode"],
        },
        Wrong {
            file: "homeostat.toml",
            content: "[environments.unknown]\nmode = \"act\"\n".to_owned(),
            flag: "--config",
            says: &["homeostat.toml", "unknown", "act"],
        },
        Wrong {
            file: "homeostat.toml",
            content: "= nothing".to_owned(),
            flag: "--config",
            says: &["homeostat.toml", "1"],
        },
    ];
    for wrong in &wrongs {
        refused(wrong).await?;
    }
    Ok(())
}

async fn refused(wrong: &Wrong) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(wrong.file);
    std::fs::write(&file, &wrong.content)?;
    let (code, said) = up(folder.path(), wrong.flag, &file).await?;
    ensure!(code == Some(2), "{}: exit code {code:?}: {said}", wrong.content);
    for part in wrong.says {
        ensure!(said.contains(part), "`{part}` is not said of {}: {said}", wrong.file);
    }
    Ok(())
}

async fn up(folder: &Path, flag: &str, file: &Path) -> Result<(Option<i32>, String)> {
    // What `homeostat up` says of a wrong file; Spin has words of its own.
    let root = workspace_root();
    let mut command = Command::new(homeostat_binary(&root)?);
    command.current_dir(&root).args(["up", "--listen", "127.0.0.1:0", flag]).arg(file);
    command.arg("--state-dir").arg(folder.join("state"));
    command.stdin(Stdio::null()).env_remove("REDIS_URL").kill_on_drop(true);
    let output = tokio::time::timeout(STEP_WITHIN, command.output()).await.context("it started")??;
    Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
}
