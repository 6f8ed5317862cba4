//! Builds the wasm components and puts them in `dist/components/`.
//!
//! What this does not do: say how they are wired; `spin.toml` does.
//! Invariant: a file in `dist/components/` is always whole, and touched only when its content
//! changed, so that who watches it sees real changes only.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process;
use crate::wasm::{self, Compiler, TARGET};
use crate::workspace::{self, Package};

/// How a component is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// As shipped: small and fast, the whole program optimised at once.
    Component,
    /// For tests while writing: no link-time optimisation, so a build after a change is short.
    Quick,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::Quick => "component-dev",
        }
    }
}

/// Which components are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selection {
    /// Those of the app and the guests of the tests.
    All,
    /// Those of the app.
    App,
}

/// Builds, copies, and prints one line per component.
///
/// # Errors
/// When no compiler has the target, or a component does not build.
pub(crate) fn build(profile: Profile, selection: Selection) -> Result<()> {
    let Some(compiler) = wasm::find() else { bail!(wasm::WAY_OUT) };
    let packages = workspace::packages()?;
    let chosen = select(&packages, selection);
    if chosen.is_empty() {
        bail!("no package under components/ is a cdylib");
    }
    compile(&compiler, profile, &chosen)?;
    publish(profile, &chosen)
}

/// The components among the packages, with the names of their libraries.
pub(crate) fn select(packages: &[Package], selection: Selection) -> Vec<(&Package, &str)> {
    let folders: &[&str] = match selection {
        Selection::All => &["components/", "tests/guests/"],
        Selection::App => &["components/"],
    };
    let wanted = |package: &&Package| folders.iter().any(|folder| package.folder.starts_with(folder));
    packages
        .iter()
        .filter(wanted)
        .filter_map(|package| package.component.as_deref().map(|library| (package, library)))
        .collect()
}

/// Components have their own target folder: another compiler builds them, and both would
/// otherwise wait for each other.
fn target_folder() -> PathBuf {
    workspace::root().join("target/components")
}

fn compile(compiler: &Compiler, profile: Profile, chosen: &[(&Package, &str)]) -> Result<()> {
    eprintln!("      compiler: {}", compiler.describe());
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--target", TARGET, "--profile", profile.name()]);
    cargo.arg("--target-dir").arg(target_folder());
    for (package, _) in chosen {
        cargo.args(["--package", &package.name]);
    }
    compiler.apply(&mut cargo);
    process::run(&mut cargo).context("the components did not build")
}

fn publish(profile: Profile, chosen: &[(&Package, &str)]) -> Result<()> {
    let built = target_folder().join(TARGET).join(profile.name());
    let dist = workspace::root().join("dist/components");
    fs::create_dir_all(&dist)?;
    for (_, library) in chosen {
        let file = format!("{library}.wasm");
        let from = built.join(&file);
        let wasm = fs::read(&from).with_context(|| format!("{} was not built", from.display()))?;
        let change = replace(&dist.join(&file), &wasm)?;
        println!("dist/components/{file:<24} {:>7.1} KB  {change}", kilobytes(wasm.len()));
    }
    Ok(())
}

/// Puts content in a file in one step, unless it is there already; says which.
fn replace(file: &Path, content: &[u8]) -> Result<&'static str> {
    if fs::read(file).is_ok_and(|old| old == content) {
        return Ok("unchanged");
    }
    let new = file.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&new, content).with_context(|| format!("cannot write {}", new.display()))?;
    fs::rename(&new, file).with_context(|| format!("cannot replace {}", file.display()))?;
    Ok("written")
}

#[expect(clippy::cast_precision_loss, reason = "a size for people, far under 2^52 bytes")]
fn kilobytes(bytes: usize) -> f64 {
    bytes as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(folder: &str, component: Option<&str>) -> Package {
        let component = component.map(str::to_owned);
        Package { name: folder.into(), folder: folder.into(), component, dependencies: Vec::new() }
    }

    #[test]
    fn only_cdylibs_under_the_two_folders_are_components() {
        let packages = [
            package("components/api", Some("api")),
            package("components/shared", None),
            package("crates/flow", Some("flow")),
            package("tests/guests/echo", Some("echo")),
        ];
        let names =
            |selection| select(&packages, selection).iter().map(|(_, name)| *name).collect::<Vec<_>>();
        assert_eq!(names(Selection::All), ["api", "echo"]);
        assert_eq!(names(Selection::App), ["api"]);
    }

    #[test]
    fn a_file_is_replaced_only_when_its_content_changed() {
        let folder = std::env::temp_dir().join(format!("homeostat-xtask-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("api.wasm");
        let says: Vec<_> = [b"one", b"one", b"two"].iter().map(|new| replace(&file, *new).unwrap()).collect();
        let (left, content) = (fs::read_dir(&folder).unwrap().count(), fs::read(&file).unwrap());
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(says, ["written", "unchanged", "written"]);
        assert_eq!((left, content), (1, b"two".to_vec()));
    }
}
