//! What `cargo metadata` says of this workspace, reduced to what the tasks ask.
//!
//! What this does not do: resolve features or versions; cargo does.
//! Invariant: packages come in order of name, so that every report reads the same twice.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// One package of this workspace.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    /// As in its `Cargo.toml`.
    pub(crate) name: String,
    /// Folder relative to the workspace root, with `/` between parts.
    pub(crate) folder: String,
    /// Name of the library when the package is a `cdylib`, that is, a wasm component.
    pub(crate) component: Option<String>,
    /// What it depends on directly, in order of name, each kind of edge once.
    pub(crate) dependencies: Vec<Dependency>,
}

/// One direct dependency.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dependency {
    /// Name of the package, not of its rename.
    pub(crate) name: String,
    /// What it is needed for.
    pub(crate) kind: Kind,
}

/// What a dependency is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The package itself, or its build script.
    Normal,
    /// Its tests only.
    Dev,
}

/// The root folder of the repository.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// The cargo that runs this task, or the one on the path.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root()).env("PATH", path_with_tools());
    command
}

/// Where tools that only this repository needs are installed.
pub(crate) fn tools() -> PathBuf {
    root().join("target/tools")
}

fn path_with_tools() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(tools().join("bin")).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).unwrap_or(path)
}

/// The packages of this workspace.
///
/// # Errors
/// When cargo refuses a manifest, or prints what is not understood.
pub(crate) fn packages() -> Result<Vec<Package>> {
    let output = cargo()
        .args(["metadata", "--format-version=1", "--no-deps"])
        .output()
        .context("cargo metadata could not be started")?;
    if !output.status.success() {
        bail!("cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata = serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
    parse(&metadata)
}

/// The packages in the JSON of `cargo metadata --no-deps`.
fn parse(metadata: &Value) -> Result<Vec<Package>> {
    let root = text(metadata, "workspace_root")?;
    let mut packages = array(metadata, "packages")?
        .iter()
        .map(|package| parse_package(package, Path::new(root)))
        .collect::<Result<Vec<_>>>()?;
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

fn parse_package(package: &Value, root: &Path) -> Result<Package> {
    let manifest = Path::new(text(package, "manifest_path")?);
    let folder = manifest.parent().and_then(|folder| folder.strip_prefix(root).ok()).unwrap_or(manifest);
    let mut dependencies =
        array(package, "dependencies")?.iter().map(parse_dependency).collect::<Result<Vec<_>>>()?;
    dependencies.sort();
    dependencies.dedup();
    Ok(Package {
        name: text(package, "name")?.to_owned(),
        folder: folder.to_string_lossy().replace('\\', "/"),
        component: component_name(array(package, "targets")?)?,
        dependencies,
    })
}

fn parse_dependency(dependency: &Value) -> Result<Dependency> {
    let kind = if dependency["kind"] == "dev" { Kind::Dev } else { Kind::Normal };
    Ok(Dependency { name: text(dependency, "name")?.to_owned(), kind })
}

fn component_name(targets: &[Value]) -> Result<Option<String>> {
    for target in targets {
        if array(target, "crate_types")?.iter().any(|kind| kind == "cdylib") {
            return Ok(Some(text(target, "name")?.replace('-', "_")));
        }
    }
    Ok(None)
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("cargo metadata has no text field `{field}`"))
}

fn array<'a>(value: &'a Value, field: &str) -> Result<&'a [Value]> {
    let items = value[field].as_array();
    items.map(Vec::as_slice).with_context(|| format!("cargo metadata has no list `{field}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metadata(crate_type: &str) -> Value {
        json!({"workspace_root": "/repo", "packages": [{
            "name": "homeostat-component-webhook-ingest",
            "manifest_path": "/repo/components/webhook-ingest/Cargo.toml",
            "dependencies": [{"name": "spin-sdk"}, {"name": "proptest", "kind": "dev"}, {"name": "spin-sdk"}],
            "targets": [{"name": "webhook-ingest", "crate_types": [crate_type]}],
        }]})
    }

    #[test]
    fn a_package_is_reduced_to_what_the_tasks_ask() {
        let packages = parse(&metadata("cdylib")).unwrap();
        assert_eq!(packages.len(), 1);
        assert_eq!(packages[0].folder, "components/webhook-ingest");
        assert_eq!(packages[0].component.as_deref(), Some("webhook_ingest"));
        let edge = |name: &str, kind| Dependency { name: name.to_owned(), kind };
        assert_eq!(packages[0].dependencies, [edge("proptest", Kind::Dev), edge("spin-sdk", Kind::Normal)]);
    }

    #[test]
    fn a_plain_library_is_no_component() {
        assert_eq!(parse(&metadata("lib")).unwrap()[0].component, None);
    }

    #[test]
    fn a_missing_field_is_named() {
        let error = parse(&json!({"workspace_root": "/repo"})).unwrap_err();
        assert!(error.to_string().contains("`packages`"), "{error}");
    }
}
