//! What is known of the variables: their values here, and which of them the app has.
//!
//! Invariant: of the app's there are names alone; a value is this shell's.

use std::collections::BTreeSet;

use homeostat_schema::config::Config;

use super::app::Seen;
use super::setup::Setup;

/// Setup and app together. No `Debug`: variables hold secrets.
pub(super) struct Known<'a> {
    setup: &'a Setup,
    seen: &'a Seen,
}

impl<'a> Known<'a> {
    pub(super) fn new(setup: &'a Setup, seen: &'a Seen) -> Self {
        Self { setup, seen }
    }

    /// The configuration file here, else what is in force.
    pub(super) fn config(&self) -> Option<&'a Config> {
        self.setup.config.as_ref().or_else(|| self.seen.in_force())
    }

    /// Whether the variable is set: in the app, where it tells, else in this shell.
    pub(super) fn is_set(&self, name: &str) -> bool {
        match self.names() {
            Some(names) => names.contains(name),
            None => self.value(name).is_some(),
        }
    }

    /// Where [`Known::is_set`] looks.
    pub(super) fn place(&self) -> &'static str {
        if self.names().is_some() { "in the app" } else { "in this shell" }
    }

    /// The value here, unless it is empty.
    pub(super) fn value(&self, name: &str) -> Option<&'a str> {
        self.setup.variable(name)
    }

    /// Why a question was not asked for want of this variable.
    pub(super) fn missing(&self, name: &str) -> String {
        if self.names().is_some_and(|names| names.contains(name)) {
            format!("{name} is set in the app and not in this shell; give it here by --variable, too")
        } else {
            format!("{name} is not set {}", self.place())
        }
    }

    /// Whether the manifest was read.
    pub(super) fn has_manifest(&self) -> bool {
        self.setup.has_manifest()
    }

    fn names(&self) -> Option<&'a BTreeSet<String>> {
        self.seen.variables.as_ref()
    }
}
