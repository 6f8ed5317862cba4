//! Two real Alertmanagers as a high-availability pair, each sending the same alert: one event when
//! it fires, one when it is over.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use homeostat_e2e::{STEP_WITHIN, Stage, text};
use homeostat_testkit::port::free_port;
use homeostat_testkit::server::eventually;
use homeostat_testkit::{http, now_ms, rfc3339_millis};
use serde_json::{Value, json};
use tempfile::TempDir;

const TOKEN: &str = "token-of-the-alertmanagers";

/// An Alertmanager; it ends with this.
struct Alertmanager {
    child: Child,
    web: u16,
    _data: TempDir,
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        // Nothing is left to do when it is gone already.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Alertmanager {
    /// Starts one that talks with the peer on this port. The two hear of each other's
    /// notifications too late to hold one back, as in a split network, so that both send.
    fn start(config: &str, cluster: u16, peer: u16) -> Result<Self> {
        let (data, web) = (tempfile::tempdir()?, free_port()?);
        let file = data.path().join("alertmanager.yml");
        std::fs::write(&file, config)?;
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", data.path().display()))
            .arg(format!("--web.listen-address=127.0.0.1:{web}"))
            .arg(format!("--cluster.listen-address=127.0.0.1:{cluster}"))
            .arg(format!("--cluster.advertise-address=127.0.0.1:{cluster}"))
            .arg(format!("--cluster.peer=127.0.0.1:{peer}"))
            .args(["--cluster.peer-timeout=0s", "--cluster.settle-timeout=1s"])
            .args(["--cluster.gossip-interval=60s", "--cluster.probe-interval=60s"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context(
                "could not start prometheus-alertmanager; Debian: apt-get install prometheus-alertmanager",
            )?;
        Ok(Self { child, web, _data: data })
    }

    fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.web)
    }

    /// Waits until it has found its peer.
    async fn is_paired(&self) -> Result<()> {
        let paired = eventually(STEP_WITHIN, async || {
            let status = http::json(&http::get(&self.at("/api/v2/status")).await.ok()?);
            let cluster = status.get("cluster")?;
            let peers = cluster.get("peers")?.as_array()?.len();
            (peers == 2 && cluster.get("status")? == "ready").then_some(())
        });
        paired.await.context("the two Alertmanagers did not find each other")
    }

    async fn take(&self, alert: &Value) -> Result<()> {
        let body = json!([alert]).to_string().into_bytes();
        let headers = [("content-type", "application/json")];
        let answer = http::send(http::request("POST", &self.at("/api/v2/alerts"), &headers, body)?).await?;
        ensure!(answer.status() == 200, "Alertmanager refused the alert: {}", text(&answer));
        Ok(())
    }

    /// Waits until it has sent so many notifications, and sees that none was refused.
    async fn has_sent(&self, count: u64) -> Result<()> {
        let sent = eventually(STEP_WITHIN, async || {
            let metrics = text(&http::get(&self.at("/metrics")).await.ok()?);
            (counter(&metrics, "alertmanager_notifications_total")? >= count).then_some(metrics)
        });
        let metrics = sent.await.with_context(|| format!("not {count} notifications were sent"))?;
        let failed = counter(&metrics, "alertmanager_notifications_failed_total");
        ensure!(failed == Some(0), "notifications that failed: {failed:?}");
        Ok(())
    }
}

/// A counter of the webhook integration.
fn counter(metrics: &str, name: &str) -> Option<u64> {
    let start = format!("{name}{{integration=\"webhook\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&start))?.parse().ok()
}

fn config(app: &str) -> String {
    format!(
        "route: {{ receiver: homeostat, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h }}
receivers:
  - name: homeostat
    webhook_configs:
      - url: {app}/webhooks/alertmanager
        send_resolved: true
        http_config: {{ authorization: {{ credentials: {TOKEN} }} }}
"
    )
}

/// An alert that starts now, as Prometheus tells it.
fn alert(name: &str) -> Value {
    json!({
        "labels": {"alertname": name, "service": "checkout", "env": "stage"},
        "startsAt": rfc3339_millis(now_ms()),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_sends_everything_twice_gives_each_state_once() -> Result<()> {
    let secrets = BTreeMap::from([("webhook_secret_alertmanager".to_owned(), TOKEN.to_owned())]);
    let stage = Stage::set_for_sources("", secrets).await?;
    let (one, other) = (free_port()?, free_port()?);
    let config = config(stage.app.url());
    let pair = [Alertmanager::start(&config, one, other)?, Alertmanager::start(&config, other, one)?];
    for each in &pair {
        each.is_paired().await?;
    }

    let mut errors = alert("HighErrors");
    sent_by_both(&pair, &errors, 1).await?;
    errors["endsAt"] = rfc3339_millis(now_ms()).into();
    sent_by_both(&pair, &errors, 2).await?;
    // Of the same service, so behind all of the above: when it is there, they are.
    sent_by_both(&pair, &alert("Last"), 3).await?;

    let last = ("Last".to_owned(), "firing".to_owned());
    let told = eventually(STEP_WITHIN, async || Some(told(&stage).await).filter(|told| told.contains(&last)));
    let told = told.await.context("the last alert did not get through")?;
    let expected = [("HighErrors", "firing"), ("HighErrors", "resolved"), ("Last", "firing")];
    let expected = expected.map(|(title, status)| (title.to_owned(), status.to_owned()));
    ensure!(told == expected, "events of the pair: {told:?}");
    stage.is_sound().await
}

/// Gives the alert to both, as Prometheus does, and waits until each has sent so many notifications.
async fn sent_by_both(pair: &[Alertmanager], alert: &Value, count: u64) -> Result<()> {
    for each in pair {
        each.take(alert).await?;
    }
    for each in pair {
        each.has_sent(count).await?;
    }
    Ok(())
}

/// Title and status of every event that came from Alertmanager, sorted.
async fn told(stage: &Stage) -> Vec<(String, String)> {
    let page = stage.api.get("/api/v1/events?limit=100").await;
    let items = page["items"].as_array().cloned().unwrap_or_default();
    let ours = items.iter().filter(|event| event["source"] == "alertmanager");
    let text = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
    let mut told: Vec<_> = ours.map(|event| (text(event, "title"), text(event, "status"))).collect();
    told.sort();
    told
}
