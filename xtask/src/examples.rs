//! Builds the example plug-ins, which are not in Rust, into `dist/plug-ins/`.
//!
//! What this does not do: know a compiler or its arguments; each example's `package.json` does.
//! Invariant: what is installed is what the example's lock file names, and nothing is installed
//! again while that file stays the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{process, workspace};

/// Installs and builds each example.
///
/// # Errors
/// When npm is missing, or an example cannot be installed or built.
pub(crate) fn build() -> Result<()> {
    let folders = folders(&workspace::root().join("examples"))?;
    if folders.is_empty() {
        bail!("there is no example with a package.json under examples/");
    }
    if !process::on_path("npm") {
        bail!("npm is missing; `cargo xtask setup` installs it, or see nodejs.org");
    }
    for folder in folders {
        install(&folder)?;
        process::run(npm(&folder).args(["run", "--silent", "build"]))
            .with_context(|| format!("the example in {} did not build", folder.display()))?;
    }
    Ok(())
}

/// The examples, in order of name.
fn folders(examples: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(examples).with_context(|| format!("cannot read {}", examples.display()))?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.retain(|folder| folder.join("package.json").is_file());
    folders.sort();
    Ok(folders)
}

fn install(folder: &Path) -> Result<()> {
    let lock = fs::read(folder.join("package-lock.json"))
        .with_context(|| format!("{} has no package-lock.json", folder.display()))?;
    let stamp = folder.join("node_modules/.installed-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    eprintln!("      npm install in {}", folder.display());
    // Not `npm ci`: it wants every optional package in the lock file, and those for some other
    // platforms were never published. This keeps to the lock file too, and does not write it.
    process::run(npm(folder).args(["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]))
        .with_context(|| format!("the packages of {} could not be installed", folder.display()))?;
    fs::write(&stamp, &lock).with_context(|| format!("cannot write {}", stamp.display()))
}

fn npm(folder: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(folder);
    npm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_found_and_locked() {
        let found = folders(&workspace::root().join("examples")).unwrap();
        assert!(found.iter().any(|folder| folder.ends_with("plug-in-js")), "{found:?}");
        for folder in found {
            assert!(folder.join("package-lock.json").is_file(), "{}", folder.display());
        }
    }
}
