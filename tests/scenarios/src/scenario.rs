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
    steps: Vec<String>,
    #[serde(default)]
    expect: Expect,
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
        let config = config(file.environment, file.maintenance, file.disaster)?;
        let steps = file.steps.into_iter().map(parse).collect::<Result<_>>()?;
        Ok(Self { about: file.about, steps, expect: file.expect, config })
    }
}

fn config(environment: Table, maintenance: Vec<Table>, disaster: Vec<Table>) -> Result<String> {
    let mut config: Table = CONFIG.parse()?;
    let stage = config.get_mut("environments").and_then(|all| all.get_mut("stage"));
    let stage = stage.and_then(Value::as_table_mut).context("the configuration has no stage")?;
    stage.extend(environment);
    for (name, tables) in [("maintenance", maintenance), ("disaster", disaster)] {
        if !tables.is_empty() {
            config.insert(name.to_owned(), tables.into());
        }
    }
    Ok(toml::to_string(&config)?)
}
