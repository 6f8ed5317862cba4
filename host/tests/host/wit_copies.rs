//! The vendored WIT files are the crate's, unchanged.

use std::path::{Path, PathBuf};

const PACKAGES: [(&str, &str); 3] = [
    ("spin-key-value@3.0.0", "key-value.wit"),
    ("spin-redis@3.0.0", "redis.wit"),
    ("spin-variables@3.0.0", "variables.wit"),
];

/// The source of spin-sdk 7.0.0 in cargo's home, if this machine has it.
fn crate_wit() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")))?;
    let registries = std::fs::read_dir(home.join("registry/src")).ok()?;
    let folders = registries.flatten().map(|registry| registry.path().join("spin-sdk-7.0.0/wit/deps"));
    folders.into_iter().find(|folder| folder.is_dir())
}

#[test]
fn vendored_wit_equals_the_crate() -> std::io::Result<()> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit/deps");
    let theirs = crate_wit();
    for (package, file) in PACKAGES {
        let copy = std::fs::read_to_string(ours.join(package).join(file))?;
        let declared = format!("package {};", package.replacen('-', ":", 1));
        assert!(copy.starts_with(&declared), "{package} declares another package");
        if let Some(theirs) = &theirs {
            assert_eq!(copy, std::fs::read_to_string(theirs.join(package).join(file))?, "{package} differs");
        }
    }
    Ok(())
}
