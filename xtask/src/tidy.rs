//! House rules that no other tool checks: short scripts, a header on every module, files that fit
//! a head, nothing half done.
//!
//! What this does not do: judge what a header says; people do.
//! Invariant: looks only at files that git knows.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{process, workspace};

/// A longer script is a task in `xtask`.
const SCRIPT_LINES_MAX: usize = 15;
/// Lines before the tests in a source file; a longer file holds more than one thing.
const PRODUCTION_LINES_MAX: usize = 400;
/// What is never left in the tree; in two parts, so that this file may name them.
const LEFTOVERS: [&str; 3] = [concat!("to", "do!("), concat!("#[ign", "ore"), concat!("// TO", "DO")];

/// Checks every file that git knows.
///
/// # Errors
/// When a rule is broken; the text names each file.
pub(crate) fn check() -> Result<()> {
    let list = process::answer(Command::new("git").arg("ls-files").current_dir(workspace::root()))
        .context("`git ls-files` failed; is this a clone?")?;
    let mut found = Vec::new();
    for file in list.lines() {
        // A file deleted but not yet committed has nothing to check.
        if let Ok(text) = fs::read_to_string(workspace::root().join(file)) {
            found.extend(objections(file, &text));
        }
    }
    if !found.is_empty() {
        bail!("house rules:\n  {}", found.join("\n  "));
    }
    Ok(())
}

fn objections(file: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if file.starts_with("scripts/") && text.lines().count() > SCRIPT_LINES_MAX {
        found.push(format!("{file}: more than {SCRIPT_LINES_MAX} lines; make it a task in xtask"));
    }
    if file.ends_with(".rs") {
        found.extend(source_objections(file, text));
    }
    found
}

fn source_objections(file: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let test_module = file.ends_with("/tests.rs");
    if !test_module && !text.starts_with("//!") {
        found.push(format!("{file}: the module header (//!) is missing"));
    }
    let long = production_lines(text) > PRODUCTION_LINES_MAX;
    if long && !test_module && !file.contains("/tests/") && !file.starts_with("tests/") {
        found.push(format!("{file}: more than {PRODUCTION_LINES_MAX} lines before its tests"));
    }
    for (number, line) in text.lines().enumerate() {
        if let Some(leftover) = LEFTOVERS.iter().find(|leftover| line.contains(**leftover)) {
            found.push(format!("{file}:{}: `{leftover}` is left", number + 1));
        }
    }
    found
}

fn production_lines(text: &str) -> usize {
    text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, text: &str, expected: &[&str]) {
        let found = objections(file, text);
        assert_eq!(found.len(), expected.len(), "{file}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn each_rule_names_the_file_that_breaks_it() {
        check("scripts/up", &"line\n".repeat(15), &[]);
        check("scripts/up", &"line\n".repeat(16), &["scripts/up: more than 15"]);
        check("crates/a/src/lib.rs", "//! A.\n", &[]);
        check("crates/a/src/lib.rs", "fn a() {}\n", &["header"]);
        check("crates/a/src/lib.rs", &format!("//! A.\n{}", "x\n".repeat(400)), &["more than 400"]);
        check("crates/a/src/b/tests.rs", &"x\n".repeat(401), &[]);
        check("crates/a/tests/b.rs", &format!("//! A.\n{}", "x\n".repeat(400)), &[]);
        check("crates/a/src/lib.rs", &format!("//! A.\n#[cfg(test)]\n{}", "x\n".repeat(400)), &[]);
    }

    #[test]
    fn what_is_left_is_found_with_its_line() {
        for leftover in LEFTOVERS {
            check("crates/a/src/lib.rs", &format!("//! A.\n{leftover}"), &["crates/a/src/lib.rs:2"]);
        }
    }
}
