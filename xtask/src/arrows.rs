//! Who may import whom, checked on the direct dependencies of every package.
//!
//! What this does not do: look at what outside crates import among themselves; `deny.toml` does.
//! Invariant: a folder without a rule is an error, so that no package escapes by being new.

use anyhow::{Result, bail};

use crate::workspace::{self, Dependency, Kind, Package};

/// Folder of the importer, and the folders of ours it may import. A folder stands for all under it.
/// The first rule that fits is the rule.
const OURS: &[(&str, &[&str])] = &[
    ("crates/schema", &[]),
    ("crates/sources", &["crates/schema"]),
    ("crates/detection", &["crates/schema"]),
    ("crates/policy", &["crates/schema"]),
    ("crates/remedies", &["crates/schema", "crates/policy"]),
    ("crates/emit", &["crates/schema"]),
    ("crates/reconcile", &["crates/schema"]),
    ("crates/flow", &[]),
    // The laboratory tries what decides, on lives it makes itself.
    ("crates/lab", &["crates/detection"]),
    (
        "crates/stages",
        &[
            "crates/schema",
            "crates/detection",
            "crates/policy",
            "crates/remedies",
            "crates/flow",
            "crates/emit",
            "crates/reconcile",
        ],
    ),
    // The API reads what the stages wrote, and takes events as the sources do.
    ("crates/api", &["crates/schema", "crates/sources", "crates/policy", "crates/flow", "crates/stages"]),
    ("adapters", &["crates/flow", "crates/schema"]),
    // The HTTP components share one shell, the worker components another.
    ("components/front", &["adapters/spin", "crates"]),
    ("components/worker", &["adapters/spin", "crates"]),
    ("components", &["adapters/spin", "components/front", "components/worker", "crates"]),
    // `homeostat demo` runs against the testkit's stand-ins.
    ("host", &["adapters/native", "crates", "tests/testkit"]),
    ("tests/guests", &["adapters/spin", "crates"]),
    ("tests", EVERYTHING),
    ("xtask", EVERYTHING),
];

/// What the tests of these folders may import beside.
const OURS_IN_TESTS: &[(&str, &[&str])] = &[
    ("adapters/native", &["tests/testkit"]),
    // Ours are held against the CDEvents that others expect of real deliveries.
    ("crates/emit", &["crates/sources"]),
    // Deliveries in any order end in the same state of the detector.
    ("crates/sources", &["crates/detection"]),
    ("crates/stages", &["tests/testkit"]),
];

const EVERYTHING: &[&str] = &["adapters", "components", "crates", "host", "tests", "xtask"];

/// Outside crates that only some folders may import. A name ending in `*` stands for all that begin so.
const OUTSIDE: &[(&str, &[&str])] = &[
    ("spin-sdk", &["adapters/spin", "components", "tests/guests"]),
    ("tokio", &["adapters/native", "host", "tests", "xtask"]),
    ("wasmtime*", &["host"]),
];

/// Checks every package of the workspace.
///
/// # Errors
/// When there is a forbidden edge; the text names each.
pub(crate) fn check() -> Result<()> {
    let packages = workspace::packages()?;
    let found = forbidden(&packages);
    if !found.is_empty() {
        bail!("forbidden imports (the table is in xtask/src/arrows.rs):\n  {}", found.join("\n  "));
    }
    println!("{} packages, every import is allowed", packages.len());
    Ok(())
}

/// Every forbidden edge, in words.
fn forbidden(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages {
        let Some(allowed) = rule(OURS, &package.folder) else {
            found.push(format!("{} is in {}, a folder with no rule", package.name, package.folder));
            continue;
        };
        let edges = package.dependencies.iter();
        found.extend(edges.filter_map(|edge| objection(packages, package, allowed, edge)));
    }
    found
}

/// Why an edge is forbidden; `None` when it is not.
fn objection(packages: &[Package], from: &Package, allowed: &[&str], edge: &Dependency) -> Option<String> {
    let fine = match packages.iter().find(|package| package.name == edge.name) {
        Some(to) => lies_in_any(&to.folder, allowed) || test_only(from, to, edge.kind),
        None => outside_allows(from, &edge.name),
    };
    (!fine).then(|| format!("{} ({}) must not import {}", from.name, from.folder, edge.name))
}

fn test_only(from: &Package, to: &Package, kind: Kind) -> bool {
    let beside = rule(OURS_IN_TESTS, &from.folder).unwrap_or_default();
    kind == Kind::Dev && lies_in_any(&to.folder, beside)
}

fn outside_allows(from: &Package, name: &str) -> bool {
    OUTSIDE.iter().all(|(pattern, folders)| !matches(pattern, name) || lies_in_any(&from.folder, folders))
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

fn rule<'a>(rules: &[(&str, &'a [&'a str])], folder: &str) -> Option<&'a [&'a str]> {
    rules.iter().find(|(of, _)| lies_in(folder, of)).map(|(_, allowed)| *allowed)
}

fn lies_in_any(folder: &str, parents: &[&str]) -> bool {
    parents.iter().any(|parent| lies_in(folder, parent))
}

/// Whether a folder is another one or lies under it.
fn lies_in(folder: &str, parent: &str) -> bool {
    folder.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDERS: &[&str] = &[
        "adapters/native",
        "adapters/spin",
        "components/healer",
        "components/worker",
        "crates/api",
        "crates/detection",
        "crates/flow",
        "crates/policy",
        "crates/remedies",
        "crates/schema",
        "crates/sources",
        "crates/stages",
        "host",
        "tests/e2e",
        "tests/guests/echo",
        "tests/testkit",
    ];

    /// A workspace in which the package in folder `from` imports `to`, a folder of ours or an outside name.
    fn workspace(from: &str, to: &str, kind: Kind) -> Vec<Package> {
        let package = |folder: &&str| Package {
            name: name(folder),
            folder: (*folder).to_owned(),
            component: None,
            dependencies: if *folder == from {
                vec![Dependency { name: name(to), kind }]
            } else {
                Vec::new()
            },
        };
        FOLDERS.iter().map(package).collect()
    }

    fn name(folder: &str) -> String {
        folder.replace('/', "-")
    }

    fn objections(from: &str, to: &str, kind: Kind) -> Vec<String> {
        assert!(FOLDERS.contains(&from), "{from} is no folder of the table");
        forbidden(&workspace(from, to, kind))
    }

    #[test]
    fn a_forbidden_edge_is_reported_by_name() {
        let found = objections("crates/schema", "crates/flow", Kind::Normal);
        assert_eq!(found, ["crates-schema (crates/schema) must not import crates-flow"]);
    }

    #[test]
    fn the_arrows_between_ours_are_as_drawn() {
        let check = |from: &str, to: &str, allowed: bool| {
            assert_eq!(objections(from, to, Kind::Normal).is_empty(), allowed, "{from} -> {to}");
        };
        check("crates/sources", "crates/schema", true);
        check("crates/remedies", "crates/policy", true);
        check("crates/stages", "crates/remedies", true);
        check("crates/api", "crates/stages", true);
        check("crates/stages", "crates/api", false);
        check("adapters/spin", "crates/flow", true);
        check("components/healer", "adapters/spin", true);
        check("host", "adapters/native", true);
        check("host", "tests/testkit", true);
        check("tests/e2e", "host", true);
        check("crates/policy", "crates/remedies", false);
        check("crates/flow", "crates/schema", false);
        check("crates/detection", "crates/policy", false);
        check("adapters/native", "crates/stages", false);
        check("adapters/native", "tests/testkit", false);
        check("components/healer", "components/worker", true);
        check("components/worker", "components/healer", false);
        check("components/healer", "adapters/native", false);
        check("host", "adapters/spin", false);
        check("tests/guests/echo", "tests/testkit", false);
    }

    #[test]
    fn outside_crates_stay_in_their_folders() {
        let check = |from: &str, to: &str, allowed: bool| {
            assert_eq!(objections(from, to, Kind::Normal).is_empty(), allowed, "{from} -> {to}");
        };
        check("components/healer", "spin-sdk", true);
        check("tests/guests/echo", "spin-sdk", true);
        check("crates/stages", "spin-sdk", false);
        check("tests/e2e", "tokio", true);
        check("crates/flow", "tokio", false);
        check("host", "wasmtime-wasi", true);
        check("tests/e2e", "wasmtime-wasi", false);
        check("crates/flow", "serde", true);
    }

    #[test]
    fn tests_may_use_the_testkit_where_the_package_may_not() {
        assert!(objections("adapters/native", "tests/testkit", Kind::Dev).is_empty());
        assert!(!objections("crates/schema", "tests/testkit", Kind::Dev).is_empty());
        assert!(objections("crates/sources", "crates/detection", Kind::Dev).is_empty());
        assert!(!objections("crates/sources", "crates/detection", Kind::Normal).is_empty());
        assert!(!objections("crates/flow", "tokio", Kind::Dev).is_empty());
    }

    #[test]
    fn a_folder_without_a_rule_is_reported() {
        let mut packages = workspace("host", "serde", Kind::Normal);
        packages[0].folder = "plugins/new".to_owned();
        assert_eq!(forbidden(&packages), ["adapters-native is in plugins/new, a folder with no rule"]);
    }
}
