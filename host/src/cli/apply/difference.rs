//! What differs between two configurations, a line for each setting.
//!
//! Does not: judge a change.
//! Invariant: two configurations without a difference are equal.

use std::collections::BTreeMap;
use std::fmt;

use homeostat_schema::config::Config;
use serde::Serialize;
use serde_json::Value;

use crate::cli::output;

/// One setting that differs. Absent is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct Change {
    /// Such as `environments.stage.mode`; a service is named by its name.
    pub(in crate::cli) setting: String,
    pub(in crate::cli) from: Option<Value>,
    pub(in crate::cli) to: Option<Value>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let setting = output::plain(&self.setting);
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(f, "~ {setting}: {from} -> {to}"),
            (None, Some(to)) => write!(f, "+ {setting}: {to}"),
            (Some(from), None) => write!(f, "- {setting}: {from}"),
            (None, None) => write!(f, "  {setting}"),
        }
    }
}

/// The settings that differ, in order of their names.
pub(in crate::cli) fn difference(from: &Config, to: &Config) -> Vec<Change> {
    let (from, to) = (settings(from), settings(to));
    let names: std::collections::BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let change = |name: &&String| Change {
        setting: (*name).clone(),
        from: from.get(*name).cloned(),
        to: to.get(*name).cloned(),
    };
    names.iter().map(change).filter(|change| change.from != change.to).collect()
}

fn settings(config: &Config) -> BTreeMap<String, Value> {
    let mut settings = BTreeMap::new();
    // A configuration has a JSON form: it came from one, or from a file with the same fields.
    let whole = serde_json::to_value(config).unwrap_or_default();
    flatten("", &whole, &mut settings);
    // The first rule that matches wins, so their order matters too.
    let order: Vec<&str> = config.services.iter().map(|service| service.name.as_str()).collect();
    if order.len() > 1 {
        settings.insert("service (order)".to_owned(), order.into());
    }
    settings
}

fn flatten(path: &str, value: &Value, settings: &mut BTreeMap<String, Value>) {
    let joined = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(name, value)| flatten(&joined(name), value, settings));
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                let named = item.get("name").and_then(Value::as_str).filter(|_| path == "service");
                let index = index.to_string();
                flatten(&format!("{path}[{}]", named.unwrap_or(&index)), item, settings);
            }
        }
        Value::Null => {}
        Value::Array(items) if items.is_empty() => {}
        Value::Object(_) => {}
        other => {
            settings.insert(path.to_owned(), other.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, to: &str, expected: &[&str]) {
        let read = |text: &str| Config::from_toml(text, "homeostat.toml").expect("a configuration");
        let changes = difference(&read(from), &read(to));
        let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn settings_that_differ_are_named() {
        check("", "", &[]);
        check("", "kill_switch = true", &["~ kill_switch: false -> true"]);
        check(
            "[environments.stage]\nmode = \"act\"",
            "[environments.stage]\nmode = \"suggest\"\naliases = [\"qa\"]",
            &["+ environments.stage.aliases: [\"qa\"]", "~ environments.stage.mode: \"act\" -> \"suggest\""],
        );
    }

    #[test]
    fn a_program_is_told_values_and_not_their_text() {
        let read = |text: &str| Config::from_toml(text, "homeostat.toml").expect("a configuration");
        let changes = difference(&read(""), &read("kill_switch = true"));
        let json = serde_json::to_value(&changes).expect("JSON");
        assert_eq!(json, serde_json::json!([{"setting": "kill_switch", "from": false, "to": true}]));
    }

    #[test]
    fn a_service_is_known_by_its_name_and_its_place() {
        let (shop, cart) = ("[[service]]\nname = \"shop\"\n", "[[service]]\nname = \"cart\"\n");
        let matching = "match = [{ name = \"acme/shop\" }]\n";
        check("", shop, &["+ service[shop].name: \"shop\""]);
        check(
            shop,
            &format!("{shop}{matching}"),
            &["+ service[shop].match[0].name: \"acme/shop\"", "+ service[shop].match[0].source: \"*\""],
        );
        check(
            &format!("{shop}{cart}"),
            &format!("{cart}{shop}"),
            &["~ service (order): [\"shop\",\"cart\"] -> [\"cart\",\"shop\"]"],
        );
    }
}
