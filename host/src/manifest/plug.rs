//! A component's dependencies, and how far it may go: the parts of the manifest for plug-ins.
//!
//! Does not: look at the files it names.

use crate::config_file::{ConfigError, Located, Table, Unsupported, Value};

/// A component that another is composed with: it exports what the other imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencySpec {
    /// The interface, with its package and version: `homeostat:schema/source@1.0.0`.
    pub interface: String,
    /// The wasm file, relative to the manifest's folder.
    pub path: Located<String>,
}

/// Bounds of a component that runs what others wrote, from `[component.<id>.tool.homeostat]`. Spin
/// leaves `tool` to tools; this host is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitsSpec {
    /// How long guest code of one instance may run in all, in milliseconds.
    pub cpu_ms_max: Option<u64>,
    /// How far each memory of an instance may grow, in MiB.
    pub memory_mib_max: Option<u64>,
    /// Instances at once; more requests wait.
    pub instances_max: Option<u64>,
}

const DEPENDENCY_UNSUPPORTED: &[Unsupported] = &[
    Unsupported { field: "export", reason: "the export must have the import's name" },
    Unsupported { field: "version", reason: "it downloads nothing; give a path" },
    Unsupported { field: "registry", reason: "it downloads nothing; give a path" },
    Unsupported { field: "package", reason: "it downloads nothing; give a path" },
    Unsupported { field: "url", reason: "it downloads nothing; give a path" },
    Unsupported { field: "digest", reason: "it downloads nothing; give a path" },
    Unsupported { field: "component", reason: "give a path" },
    Unsupported { field: "inherit_configuration", reason: "a dependency gets nothing of the component" },
];

/// What a component is composed with.
pub(super) fn dependencies(value: Option<&Value<'_>>) -> Result<Vec<DependencySpec>, ConfigError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    value.table()?.entries().into_iter().map(|(name, value)| dependency(name, &value)).collect()
}

fn dependency(name: &str, value: &Value<'_>) -> Result<DependencySpec, ConfigError> {
    if !is_interface(name) {
        return Err(value.error(format!(
            "`{name}` is not an interface with its version, as in `homeostat:schema/source@1.0.0`"
        )));
    }
    if !value.is_table() {
        return Err(value.error("this host downloads nothing; write { path = \"plug-in.wasm\" }".to_owned()));
    }
    let mut table = value.table()?;
    let path = table.require("path")?.string()?;
    table.finish(DEPENDENCY_UNSUPPORTED)?;
    Ok(DependencySpec { interface: name.to_owned(), path })
}

fn is_interface(name: &str) -> bool {
    let Some((package, rest)) = name.split_once('/') else { return false };
    let Some((interface, version)) = rest.split_once('@') else { return false };
    package.contains(':') && !interface.is_empty() && !version.is_empty()
}

/// How far a component may go.
pub(super) fn limits(tool: Option<&Value<'_>>) -> Result<LimitsSpec, ConfigError> {
    let Some(tool) = tool else { return Ok(LimitsSpec::default()) };
    let Some(ours) = tool.table()?.get("homeostat") else { return Ok(LimitsSpec::default()) };
    let mut table = ours.table()?;
    let limits = LimitsSpec {
        cpu_ms_max: limit(&mut table, "cpu_ms_max")?,
        memory_mib_max: limit(&mut table, "memory_mib_max")?,
        instances_max: limit(&mut table, "instances_max")?,
    };
    table.finish(&[])?;
    Ok(limits)
}

fn limit(table: &mut Table<'_>, field: &'static str) -> Result<Option<u64>, ConfigError> {
    let Some(value) = table.get(field) else { return Ok(None) };
    match value.unsigned()? {
        0 => Err(value.error(format!("`{field}` of 0 would let nothing run"))),
        limit => Ok(Some(limit)),
    }
}
