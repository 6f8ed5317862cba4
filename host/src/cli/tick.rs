//! `homeostat tick`: ring what has work and no worker.
//!
//! Purpose: one tick by hand, or from cron where nothing else ticks (`homeostat up` ticks by
//! itself; Spin has no timer).
//! Does not: do the work; a doorbell only wakes a worker.

use clap::Args;
use homeostat_adapter_native::{NativeRedis, tick_once};
use homeostat_flow::{Lag, StoreError, TickReport};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::client::{Connection, bearer};
use super::{CliError, output};
use crate::compose::cell;
use crate::trigger_redis::shown;

const EXAMPLES: &str = "\
Examples:
  homeostat tick                                      the Redis server of the app of ./.homeostat
  homeostat tick --redis redis://10.0.0.5:6379        a Redis server of your own
  homeostat tick --internal-token TOKEN --url URL     through the app, as POST /internal/tick

Exit codes: 0 ticked, whether or not anything had to be rung; 1 failed, 2 the arguments are wrong";

/// The arguments of `homeostat tick`. No `Debug`: it holds a token.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Tick this Redis server directly, redis://HOST:PORT
    #[arg(long, env = "REDIS_URL", hide_env_values = true, value_name = "URL")]
    redis: Option<String>,
    /// Tick through the app instead, with the token of its variable internal_token
    #[arg(long, env = "HOMEOSTAT_INTERNAL_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    internal_token: Option<String>,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize, Deserialize)]
struct Ticked {
    /// Bells rung.
    rung: usize,
    /// Consumed entries trimmed.
    trimmed: u64,
    /// `<stage> <shard>`, where it is known.
    #[serde(default)]
    bells: Vec<String>,
    /// Where work waits.
    #[serde(default)]
    waiting: Vec<Waiting>,
}

#[derive(Serialize, Deserialize)]
struct Waiting {
    stage: String,
    shard: String,
    unread: u64,
    due: u64,
    open: u64,
    oldest_ms: u64,
}

/// Ticks once.
///
/// # Errors
/// When Redis or the app cannot be reached, or refuses.
pub async fn run(arguments: Arguments) -> Result<(), CliError> {
    let ticked = match &arguments.internal_token {
        Some(token) => over_http(&arguments.connection, token).await?,
        None => directly(&arguments).await?,
    };
    if arguments.json {
        return output::json(&ticked);
    }
    output::line(&told(&ticked));
    Ok(())
}

async fn over_http(connection: &Connection, token: &str) -> Result<Ticked, CliError> {
    let client = connection.address.open()?;
    let answer =
        client.send(bearer(client.request(Method::POST, "/internal/tick"), token), Vec::new()).await?;
    let why = match answer.status {
        status if status.is_success() => return Ok(answer.json()?),
        StatusCode::NOT_FOUND => "the app has no internal_token, so /internal/tick is off",
        StatusCode::UNAUTHORIZED => "the app has another internal_token",
        _ => return Err(client.refusal(&answer).into()),
    };
    let next = "set the variable internal_token and start the app again, or tick Redis directly with --redis";
    Err(CliError::Failure(anyhow::anyhow!("{why}; {next}")))
}

async fn directly(arguments: &Arguments) -> Result<Ticked, CliError> {
    let folder = arguments.connection.folder();
    let kept = || super::redis_named_in(folder).or_else(|| super::redis_of_folder(folder));
    let url = arguments.redis.clone().or_else(kept).ok_or_else(|| {
        let folder = folder.display();
        CliError::Usage(format!(
            "no Redis server is known: {folder} has none; name one with --redis or REDIS_URL, name the app's \
             --state-dir, or tick through the app with --internal-token"
        ))
    })?;
    if NativeRedis::new(&url).is_err() {
        return Err(CliError::Usage(format!("{}: expected redis://HOST:PORT", shown(&url))));
    }
    let failed = |error: StoreError| match error.remedy() {
        Some(remedy) => anyhow::anyhow!(remedy),
        None => {
            anyhow::anyhow!(
                "{error}. Is the app, and with it Redis, running? Else name the server with --redis"
            )
        }
    };
    Ok(tick_once(&url, cell()).await.map_err(failed)?.into())
}

impl From<TickReport> for Ticked {
    fn from(report: TickReport) -> Self {
        let busy = |lag: &&Lag| lag.unread + lag.due + lag.open > 0;
        Self {
            rung: report.rung.len(),
            trimmed: report.trimmed,
            bells: report.rung.iter().map(|(stage, shard)| format!("{stage} {shard}")).collect(),
            waiting: report.lag.iter().filter(busy).map(Waiting::from).collect(),
        }
    }
}

impl From<&Lag> for Waiting {
    fn from(lag: &Lag) -> Self {
        Self {
            stage: lag.stage.to_string(),
            shard: lag.shard.to_string(),
            unread: lag.unread,
            due: lag.due,
            open: lag.open,
            oldest_ms: lag.oldest_ms,
        }
    }
}

fn told(ticked: &Ticked) -> String {
    let mut lines = vec![match (ticked.rung, ticked.bells.is_empty()) {
        (0, _) => "nothing had to be rung".to_owned(),
        (rung, true) => format!("rang {rung}"),
        (rung, false) => format!("rang {rung}: {}", ticked.bells.join(", ")),
    }];
    if ticked.trimmed > 0 {
        lines.push(format!("trimmed {} consumed entries", ticked.trimmed));
    }
    if !ticked.waiting.is_empty() {
        let row = |waiting: &Waiting| {
            let numbers = [waiting.unread, waiting.due, waiting.open].map(|number| number.to_string());
            let [unread, due, open] = numbers;
            vec![
                waiting.stage.clone(),
                waiting.shard.clone(),
                unread,
                due,
                open,
                output::span(waiting.oldest_ms),
            ]
        };
        let rows: Vec<_> = ticked.waiting.iter().map(row).collect();
        lines.push(output::table(&["STAGE", "SHARD", "UNREAD", "DUE", "OPEN", "OLDEST"], &rows));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use homeostat_flow::{Shard, Stage};

    #[test]
    fn what_was_rung_and_what_waits_is_told() {
        let stage = Stage::new("detect");
        let lag = |unread| Lag {
            stage,
            shard: Shard::service(1),
            unread,
            due: 0,
            open: 2 * unread,
            oldest_ms: 4_000,
        };
        let report =
            TickReport { rung: vec![(stage, Shard::service(1))], trimmed: 7, lag: vec![lag(3), lag(0)] };
        let text = told(&report.into());
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "rang 1: detect s1",
                "trimmed 7 consumed entries",
                "STAGE   SHARD  UNREAD  DUE  OPEN  OLDEST",
                "detect  s1     3       0    6     4s"
            ]
        );
        assert_eq!(told(&TickReport::default().into()), "nothing had to be rung");
    }
}
