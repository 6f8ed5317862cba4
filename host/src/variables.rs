//! Application variables: from flags, the runtime configuration, the environment, the manifest.
//!
//! Purpose: Spin's order, first found wins: `--variable`, then each `[[variables_provider]]` of
//! type `static` in the order of the file, then `SPIN_VARIABLE_<NAME>`, then the manifest's default.
//! Does not: read `.env` files or ask vaults; values are resolved once, at start.
//! Invariant: every declared variable has a value, and no value is ever printed from here.

use std::collections::BTreeMap;

use crate::manifest::VariableSpec;

/// Where values may come from, the strongest first. No `Debug`: it holds secrets.
#[derive(Default, Clone)]
pub struct VariableSources {
    /// `--variable NAME=VALUE`.
    pub flags: BTreeMap<String, String>,
    /// `[[variables_provider]] type = "static"`, in the order of the file.
    pub providers: Vec<BTreeMap<String, String>>,
    /// The environment of the process.
    pub environment: BTreeMap<String, String>,
}

/// Why there is no complete set of variables.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariablesError {
    /// A flag names a variable that the application does not have.
    #[error("--variable {name}: the application has no such variable; it has {known}")]
    Unknown {
        /// The name given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A required variable has no value.
    #[error("variable `{name}` is required: give --variable {name}=VALUE or set {environment}")]
    Missing {
        /// The variable.
        name: String,
        /// The environment variable that would set it.
        environment: String,
    },
}

impl VariableSources {
    /// The value that some source other than the manifest gives to `name`.
    pub fn given(&self, name: &str) -> Option<&String> {
        let provided = || self.providers.iter().find_map(|provider| provider.get(name));
        let environment = || self.environment.get(&environment_name(name));
        self.flags.get(name).or_else(provided).or_else(environment)
    }

    /// The value of every variable in `declared`.
    ///
    /// # Errors
    /// A required variable without value, or a flag for one that is not declared.
    pub fn resolve(
        &self,
        declared: &BTreeMap<String, VariableSpec>,
    ) -> Result<BTreeMap<String, String>, VariablesError> {
        if let Some(name) = self.flags.keys().find(|name| !declared.contains_key(*name)) {
            let known: Vec<&str> = declared.keys().map(String::as_str).collect();
            return Err(VariablesError::Unknown { name: name.clone(), known: known.join(", ") });
        }
        declared
            .iter()
            .map(|(name, spec)| match self.given(name).or(spec.default.as_ref()) {
                Some(value) => Ok((name.clone(), value.clone())),
                None => {
                    Err(VariablesError::Missing { name: name.clone(), environment: environment_name(name) })
                }
            })
            .collect()
    }
}

/// The environment variable that sets `name`.
pub fn environment_name(name: &str) -> String {
    format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn declared() -> BTreeMap<String, VariableSpec> {
        let optional = VariableSpec { default: Some("default".to_owned()), secret: false };
        let required = VariableSpec { default: None, secret: true };
        BTreeMap::from([("optional".to_owned(), optional), ("required".to_owned(), required)])
    }

    fn check(sources: &VariableSources, name: &str, expected: &str) {
        let resolved = sources.resolve(&declared()).expect("all are given");
        assert_eq!(resolved.get(name).map(String::as_str), Some(expected));
    }

    #[test]
    fn flags_beat_providers_beat_the_environment_beats_the_default() {
        let environment = map(&[("SPIN_VARIABLE_OPTIONAL", "environment"), ("SPIN_VARIABLE_REQUIRED", "r")]);
        let mut sources = VariableSources { environment, ..VariableSources::default() };
        check(&sources, "optional", "environment");
        sources.providers = vec![map(&[]), map(&[("optional", "second")]), map(&[("optional", "third")])];
        check(&sources, "optional", "second");
        sources.flags = map(&[("optional", "flag")]);
        check(&sources, "optional", "flag");
        sources.flags = map(&[("optional", "")]);
        check(&sources, "optional", "");
        sources = VariableSources { flags: map(&[("required", "r")]), ..VariableSources::default() };
        check(&sources, "optional", "default");
    }

    #[test]
    fn a_required_variable_without_value_and_an_unknown_flag_are_errors() {
        let missing = VariableSources::default().resolve(&declared()).expect_err("required is missing");
        assert!(missing.to_string().contains("SPIN_VARIABLE_REQUIRED"), "{missing}");
        let flags = map(&[("required", "r"), ("optinal", "x")]);
        let unknown = VariableSources { flags, ..VariableSources::default() }.resolve(&declared());
        let known = "optional, required".to_owned();
        assert_eq!(unknown, Err(VariablesError::Unknown { name: "optinal".to_owned(), known }));
    }
}
