//! A private wasm32-wasip2 target for Debian's own compiler, where rustup cannot download one.
//!
//! Debian 12 packages a recent compiler and its library sources (`rustc-web`, `rust-web-src`); the
//! C library for the target comes from Debian testing, the linkers from rustup's toolchain. From
//! these the standard library is built once and laid out as a sysroot.
//!
//! What this does not do: change anything under /usr, but through apt-get.
//! Invariant: the stamp is written last, so that a half-made sysroot is never used.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Compiler, TARGET, has_std};
use crate::{packages, process, workspace};

/// Where Debian puts the compiler; rustup's comes first on the path.
const RUSTC: &str = "/usr/bin/rustc";
/// Where `rust-web-src` puts the sources of the standard library.
const LIBRARY_SOURCES: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";
/// Used when apt cannot say which mirror this machine uses.
const MIRROR: &str = "http://deb.debian.org/debian";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const LINKERS: [&str; 3] = ["wasm-component-ld", "rust-lld", "gcc-ld"];
/// The only package built for the target that is not part of the standard library.
const SEED: &str = "seed";

/// The private compiler, when it was made whole, and for the compiler that is there now.
pub(super) fn find(folder: &Path) -> Option<Compiler> {
    let sysroot = folder.join("sysroot");
    let made_for = fs::read_to_string(folder.join("stamp")).ok()?;
    let complete = made_for == version()?
        && has_std(&target_libraries(&sysroot))
        && linkers(&sysroot).ok()?.iter().all(|linker| linker.exists());
    complete.then(|| Compiler::Private { rustc: RUSTC.into(), sysroot })
}

/// Makes the private compiler, a step a line.
///
/// # Errors
/// When a package cannot be had or the standard library does not build; the text says what to do.
pub(super) fn set_up(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    install_compiler()?;
    let libc = fetch_libc(folder)?;
    let libraries = build_std(folder, &libc)?;
    lay_out(&folder.join("sysroot"), &libraries, &libc)?;
    let stamp = version().with_context(|| format!("{RUSTC} does not say its version"))?;
    fs::write(folder.join("stamp"), stamp)?;
    fs::remove_dir_all(folder.join("std")).context("the build folder of std could not be removed")
}

fn version() -> Option<String> {
    process::answer(Command::new(RUSTC).arg("-vV"))
}

fn install_compiler() -> Result<()> {
    if Path::new(LIBRARY_SOURCES).exists() && version().is_some() {
        return Ok(());
    }
    eprintln!("      apt-get install rustc-web rust-web-src (about 100 MB)");
    packages::install(&["rustc-web", "rust-web-src"]).context(
        "no compiler with wasm32-wasip2 can be had: rustup could not fetch the target, \
         and Debian 12's packages rustc-web and rust-web-src could not be installed.\n  \
         On a machine with a free network, `rustup target add wasm32-wasip2` is all it takes.",
    )
}

/// The C library of the target, from Debian testing, unpacked into `folder`.
///
/// No version is pinned: the archive keeps only the newest.
fn fetch_libc(folder: &Path) -> Result<PathBuf> {
    let unpacked = folder.join("wasi-libc");
    let libraries = unpacked.join("usr/lib").join(TARGET);
    if libraries.join("libc.a").exists() {
        return Ok(libraries);
    }
    eprintln!("      wasi-libc from Debian testing, into target/ only");
    let apt = folder.join("apt");
    fs::create_dir_all(apt.join("lists/partial"))?;
    fs::create_dir_all(apt.join("cache/archives/partial"))?;
    fs::write(apt.join("testing.sources"), testing_source(&mirror()))?;
    let log = folder.join("apt.log");
    process::run_logged(private_apt(&apt).args(["update"]), &log)
        .context("Debian testing's list of packages could not be fetched")?;
    process::run_logged(private_apt(&apt).args(["download", "wasi-libc"]).current_dir(&apt), &log)
        .context("wasi-libc could not be fetched")?;
    let package = only_file(&apt, ".deb")?;
    process::run(Command::new("dpkg").arg("-x").arg(&package).arg(&unpacked))?;
    fs::remove_dir_all(&apt)?;
    if !libraries.join("libc.a").exists() {
        bail!("Debian testing's wasi-libc has no {TARGET}; please report this");
    }
    Ok(libraries)
}

/// The mirror this machine's own lists use.
fn mirror() -> String {
    let mut query = Command::new("apt-get");
    query.args(["indextargets", "--format", "$(SITE) $(ORIGIN) $(CODENAME)", "Created-By: Packages"]);
    pick_mirror(&process::answer(&mut query).unwrap_or_default())
}

fn pick_mirror(targets: &str) -> String {
    let own = targets.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let site = words.next()?;
        let debian = words.next() == Some("Debian");
        (debian && words.next().is_some_and(|codename| !codename.contains('-'))).then_some(site)
    });
    own.unwrap_or(MIRROR).to_owned()
}

fn testing_source(mirror: &str) -> String {
    format!("Types: deb\nURIs: {mirror}\nSuites: testing\nComponents: main\nSigned-By: {KEYRING}\n")
}

/// An apt-get that knows Debian testing alone and keeps all it writes in `folder`.
fn private_apt(folder: &Path) -> Command {
    let mut command = Command::new("apt-get");
    let at = |path: &str| folder.join(path).display().to_string();
    for option in [
        format!("Dir::Etc::sourcelist={}", at("testing.sources")),
        "Dir::Etc::sourceparts=-".to_owned(),
        format!("Dir::State::lists={}", at("lists")),
        format!("Dir::Cache={}", at("cache")),
        "APT::Sandbox::User=".to_owned(),
        "Acquire::Languages=none".to_owned(),
        "Acquire::http::Timeout=30".to_owned(),
    ] {
        command.arg("-o").arg(option);
    }
    command
}

fn only_file(folder: &Path, ending: &str) -> Result<PathBuf> {
    let files = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    let mut matching = files.filter(|path| path.to_string_lossy().ends_with(ending));
    matching.next().with_context(|| format!("no {ending} file in {}", folder.display()))
}

/// Builds the standard library from an empty package; returns the folder of its `.rlib` files.
fn build_std(folder: &Path, libc: &Path) -> Result<PathBuf> {
    eprintln!("      building the standard library for {TARGET} (about a minute)");
    let package = folder.join("std");
    fs::create_dir_all(package.join("src"))?;
    fs::write(package.join("src/lib.rs"), "")?;
    let manifest = format!("[package]\nname = \"{SEED}\"\nedition = \"2024\"\n[workspace]\n");
    fs::write(package.join("Cargo.toml"), manifest)?;
    let flags = format!("-Clink-self-contained=no -L native={} -Cembed-bitcode=yes", libc.display());
    process::run(
        workspace::cargo()
            .args(["build", "-Zbuild-std=std,panic_abort", "--release", "--target", TARGET])
            .arg("--target-dir")
            .arg(package.join("target"))
            .current_dir(&package)
            .env_remove("LD_LIBRARY_PATH")
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("RUSTC", RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", flags),
    )
    .context("the standard library did not build")?;
    Ok(package.join("target").join(TARGET).join("release/deps"))
}

fn target_libraries(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(TARGET).join("lib")
}

/// Where the linkers belong in the sysroot: under the compiler's own platform.
fn linkers(sysroot: &Path) -> Result<Vec<PathBuf>> {
    let version = version().unwrap_or_default();
    let host = host_of(&version).with_context(|| format!("{RUSTC} does not name its platform"))?;
    let bin = sysroot.join("lib/rustlib").join(host).join("bin");
    Ok(LINKERS.map(|linker| bin.join(linker)).to_vec())
}

fn host_of(version: &str) -> Option<&str> {
    version.lines().find_map(|line| line.strip_prefix("host: "))
}

fn lay_out(sysroot: &Path, libraries: &Path, libc: &Path) -> Result<()> {
    if sysroot.exists() {
        fs::remove_dir_all(sysroot)?;
    }
    let own = target_libraries(sysroot);
    copy_ending(libraries, &own, &[".rlib"])?;
    copy_ending(libc, &own.join("self-contained"), &[".o", ".a"])?;
    link_linkers(sysroot)
}

fn copy_ending(from: &Path, to: &Path, endings: &[&str]) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let seed = name.starts_with(&format!("lib{SEED}-"));
        if !seed && endings.iter().any(|ending| name.ends_with(ending)) {
            fs::copy(entry.path(), to.join(&name))?;
        }
    }
    Ok(())
}

fn link_linkers(sysroot: &Path) -> Result<()> {
    let rustup = process::answer(Command::new("rustc").args(["--print", "sysroot"]))
        .context("`rustc --print sysroot` failed; rustup's toolchain provides the wasm linker")?;
    for link in linkers(sysroot)? {
        let inside = link.strip_prefix(sysroot)?;
        let original = Path::new(&rustup).join(inside);
        if !original.exists() {
            bail!(
                "{} is missing; it comes with rustup's toolchain: install Rust by rustup",
                original.display()
            );
        }
        fs::create_dir_all(link.parent().unwrap_or(sysroot))?;
        symlink(&original, &link)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_one_of_the_machines_own_debian_list() {
        let check = |targets: &str, expected: &str| assert_eq!(pick_mirror(targets), expected, "{targets}");
        check("", MIRROR);
        check(
            "http://packages.example Other bookworm\nhttp://m.example/debian Debian bookworm",
            "http://m.example/debian",
        );
        check("http://m.example/security Debian bookworm-security", MIRROR);
    }

    #[test]
    fn the_platform_is_read_from_the_version() {
        assert_eq!(
            host_of("rustc 1.96.0\nhost: x86_64-unknown-linux-gnu\nrelease: 1.96.0"),
            Some("x86_64-unknown-linux-gnu")
        );
        assert_eq!(host_of("rustc 1.96.0"), None);
    }

    #[test]
    fn a_folder_without_stamp_holds_no_compiler() {
        assert_eq!(find(Path::new("/no/such/folder")), None);
    }
}
