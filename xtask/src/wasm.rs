//! The compiler for wasm32-wasip2: where it is found, and how it is made when there is none.
//!
//! What this does not do: build components; see `components`.
//! Invariant: nothing outside this repository's `target` is changed but by `rustup target add`
//! and by the package manager.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::{process, workspace};

mod debian;

/// The target of every component.
pub(crate) const TARGET: &str = "wasm32-wasip2";
/// What to do when no compiler is found.
pub(crate) const WAY_OUT: &str = "no compiler for wasm32-wasip2 was found.\n  \
    Run `./scripts/up` or `cargo xtask toolchain`, which set one up, or `rustup target add wasm32-wasip2`.";
/// `rustup target add` needs a few seconds on an ordinary network. Where downloads are filtered it
/// hangs instead of failing, so it is ended.
const RUSTUP_TIME_MAX: Duration = Duration::from_secs(20);

/// A compiler that has the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Compiler {
    /// A `rustc` that has the target installed.
    Installed(PathBuf),
    /// Another `rustc`, with the target's libraries in a private sysroot.
    Private {
        /// The compiler.
        rustc: PathBuf,
        /// Where its target libraries and linkers are.
        sysroot: PathBuf,
    },
}

impl Compiler {
    /// Makes a cargo command use this compiler for the wasm target.
    pub(crate) fn apply(&self, cargo: &mut Command) {
        // Cargo sets this for what it runs; another compiler must not load rustup's libraries.
        cargo.env_remove("LD_LIBRARY_PATH");
        match self {
            Self::Installed(rustc) => cargo.env("RUSTC", rustc),
            Self::Private { rustc, sysroot } => cargo
                .env_remove("RUSTFLAGS")
                .env_remove("CARGO_ENCODED_RUSTFLAGS")
                .env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", format!("--sysroot={}", sysroot.display()))
                .env("RUSTC", rustc),
        };
    }

    /// In words, for the step's line.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Installed(rustc) => format!("{} with its own {TARGET}", rustc.display()),
            Self::Private { rustc, sysroot } => {
                format!("{} with {TARGET} from {}", rustc.display(), sysroot.display())
            }
        }
    }
}

/// The first compiler that has the target: rustup's (or whatever is on the path), then the private one.
pub(crate) fn find() -> Option<Compiler> {
    find_installed().or_else(|| debian::find(&folder()))
}

/// Finds a compiler, or makes one: by rustup within a short time, else from Debian's packages.
///
/// # Errors
/// When neither can be had; the text says what to do.
pub(crate) fn set_up() -> Result<Compiler> {
    if let Some(compiler) = find() {
        return Ok(compiler);
    }
    if let Some(compiler) = add_by_rustup()? {
        return Ok(compiler);
    }
    debian::set_up(&folder())?;
    match find() {
        Some(compiler) => Ok(compiler),
        None => bail!("the compiler was set up and yet is not found; remove {}", folder().display()),
    }
}

fn folder() -> PathBuf {
    workspace::root().join("target/wasm-toolchain")
}

fn find_installed() -> Option<Compiler> {
    let rustc = PathBuf::from("rustc");
    let query = ["--print", "target-libdir", "--target", TARGET];
    let libraries = process::answer(Command::new(&rustc).args(query))?;
    has_std(Path::new(&libraries)).then_some(Compiler::Installed(rustc))
}

/// Whether a target's library folder holds the standard library.
fn has_std(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

fn add_by_rustup() -> Result<Option<Compiler>> {
    if !process::on_path("rustup") {
        return Ok(None);
    }
    eprintln!("      rustup target add {TARGET} (given {} s)", RUSTUP_TIME_MAX.as_secs());
    let added =
        process::ends_well_within(Command::new("rustup").args(["target", "add", TARGET]), RUSTUP_TIME_MAX)?;
    if !added {
        eprintln!("      rustup could not fetch it; building it from Debian's packages instead");
    }
    Ok(find_installed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    fn environment(compiler: &Compiler, name: &str) -> Option<Option<String>> {
        let mut command = Command::new("cargo");
        compiler.apply(&mut command);
        let found = command.get_envs().find(|(key, _)| *key == OsStr::new(name))?.1;
        Some(found.map(|value| value.to_string_lossy().into_owned()))
    }

    #[test]
    fn the_private_compiler_gets_its_sysroot_and_no_foreign_flags() {
        let compiler = Compiler::Private { rustc: "/usr/bin/rustc".into(), sysroot: "/s".into() };
        let flags = environment(&compiler, "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS");
        assert_eq!(flags, Some(Some("--sysroot=/s".to_owned())));
        assert_eq!(environment(&compiler, "RUSTFLAGS"), Some(None));
        assert_eq!(environment(&compiler, "LD_LIBRARY_PATH"), Some(None));
    }

    #[test]
    fn an_installed_target_needs_no_flags() {
        let compiler = Compiler::Installed("rustc".into());
        assert_eq!(environment(&compiler, "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS"), None);
        assert_eq!(environment(&compiler, "RUSTC"), Some(Some("rustc".to_owned())));
    }

    #[test]
    fn a_folder_without_std_is_no_target() {
        assert!(!has_std(Path::new("/no/such/folder")));
        assert!(!has_std(&workspace::root()));
    }
}
