//! A scenario file.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use toml::{Table, Value};

use crate::step::Step;

/// The company's configuration, before a scenario changes it: verification after 30 s, and
/// silence beyond it is blind.
const CONFIG: &str = r#"
[environments.stage]
mode = "act"
timeout_s = 30
latency_ms_max = 500.0
error_rate_max = 0.05
cooldown_s = 1

[[service]]
name = "shop"
pipeline_env = "stage"
[service.github]
repository = "acme/shop"
environments = { stage = "staging" }
[service.kubernetes.stage]
namespace = "shop"
deployment = "shop"

[[service]]
name = "checkout"
pipeline_env = "stage"
calls = ["shop"]
[service.github]
repository = "acme/checkout"
environments = { stage = "staging" }

[learning]
exploration = 0.0
"#;

/// A file, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// What it shows, in a sentence.
    about: String,
    /// Fields of `[environments.stage]` that differ.
    #[serde(default)]
    environment: Table,
    /// Maintenance windows.
    #[serde(default)]
    maintenance: Vec<Table>,
    /// Disasters.
    #[serde(default)]
    disaster: Vec<Table>,
    /// Sinks; that at `http://sink` is there.
    #[serde(default)]
    sink: Vec<Table>,
    /// Who is asked what it sent; an Alertmanager is there.
    #[serde(default)]
    reconcile: Vec<Table>,
    #[serde(default)]
    told_by: ToldBy,
    /// Components that are killed at each of their calls, in a play of its own each time.
    #[serde(default)]
    every_call_killed_of: Vec<String>,
    steps: Vec<String>,
    #[serde(default)]
    expect: Expect,
}

/// How what happens is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ToldBy {
    /// Over the API, one event at a time.
    #[default]
    Api,
    /// As signed webhooks, one a step, by a sender that tries again.
    Webhook,
}

/// What must hold at the end, beside the timeline.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    /// Changes that Homeostat asked of targets; messages to people are none.
    #[serde(default)]
    pub(crate) changes: usize,
    /// Inputs that were given up.
    #[serde(default)]
    pub(crate) dead_letters: usize,
}

/// A scenario to be played.
pub(crate) struct Scenario {
    pub(crate) about: String,
    pub(crate) steps: Vec<(String, Step)>,
    pub(crate) expect: Expect,
    pub(crate) told_by: ToldBy,
    pub(crate) every_call_killed_of: Vec<String>,
    /// `homeostat.toml`.
    pub(crate) config: String,
}

impl Scenario {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        let file: File = toml::from_str(&text).with_context(|| name.to_string())?;
        let parse = |line: String| {
            let step = Step::parse(&line).with_context(|| format!("{name}: no step is called `{line}`"))?;
            Ok((line, step))
        };
        let tables = [
            ("maintenance", file.maintenance),
            ("disaster", file.disaster),
            ("sink", file.sink),
            ("reconcile", file.reconcile),
        ];
        let config = config(file.environment, tables)?;
        let steps = file.steps.into_iter().map(parse).collect::<Result<_>>()?;
        Ok(Self {
            about: file.about,
            steps,
            expect: file.expect,
            told_by: file.told_by,
            every_call_killed_of: file.every_call_killed_of,
            config,
        })
    }
}

fn config(environment: Table, tables: [(&str, Vec<Table>); 4]) -> Result<String> {
    let mut config: Table = CONFIG.parse()?;
    let stage = config.get_mut("environments").and_then(|all| all.get_mut("stage"));
    let stage = stage.and_then(Value::as_table_mut).context("the configuration has no stage")?;
    stage.extend(environment);
    for (name, tables) in tables {
        if !tables.is_empty() {
            config.insert(name.to_owned(), tables.into());
        }
    }
    Ok(toml::to_string(&config)?)
}
