//! `runtime-config.toml`: key-value stores, static variables, the state folder, the memory limit.
//!
//! Does not: support Spin's other back ends and tables; each is refused by name and line.
//! Invariant: what is accepted has an effect.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config_file::{ConfigError, Document, Table, Unsupported, Value};

/// The parsed file; the default is no file. No `Debug`: it may hold secrets.
#[derive(Default, PartialEq, Eq)]
pub struct RuntimeConfig {
    /// Key-value stores by label.
    pub stores: BTreeMap<String, StoreConfig>,
    /// Static variable providers, in the order of the file.
    pub variables: Vec<BTreeMap<String, String>>,
    /// The state folder, instead of the one on the command line.
    pub state_dir: Option<PathBuf>,
    /// The memory an instance may take, in bytes.
    pub max_instance_memory: Option<usize>,
}

/// Where a key-value store keeps its data.
#[derive(PartialEq, Eq)]
pub enum StoreConfig {
    /// A SQLite file; the default one in the state folder when no path is given.
    Sqlite {
        /// The file, relative to the working folder.
        path: Option<PathBuf>,
    },
    /// A Redis server. Labels share its keys: Spin adds no prefix.
    Redis {
        /// Its address.
        url: String,
    },
}

const TOP_UNSUPPORTED: &[Unsupported] = &[
    Unsupported { field: "sqlite_database", reason: "it offers key-value and Redis only" },
    Unsupported { field: "llm_compute", reason: "it offers no inference" },
    Unsupported {
        field: "outbound_networking",
        reason: "its limits are fixed; block networks with a firewall",
    },
    Unsupported { field: "outbound_http", reason: "its limits are fixed; it pools no connections" },
    Unsupported { field: "outbound_redis", reason: "its limits are fixed" },
    Unsupported { field: "client_tls", reason: "it trusts the built-in web roots only" },
    Unsupported { field: "config_provider", reason: "write [[variables_provider]]" },
];

const STORE_UNSUPPORTED: &[Unsupported] =
    &[Unsupported { field: "default_ttl_seconds", reason: "keys do not expire" }];

impl RuntimeConfig {
    /// Parses `text`, which came from `file`.
    ///
    /// # Errors
    /// The first thing that is wrong or unsupported, with its line and what is expected.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let document = Document::parse(file, text)?;
        let mut root = document.root();
        let config = Self {
            stores: root
                .get("key_value_store")
                .map(|value| stores(&value.table()?))
                .transpose()?
                .unwrap_or_default(),
            variables: root
                .get("variables_provider")
                .map(|value| providers(&value))
                .transpose()?
                .unwrap_or_default(),
            state_dir: root.get("state_dir").map(|value| path(&value)).transpose()?,
            max_instance_memory: root.get("max_instance_memory").map(|value| bytes(&value)).transpose()?,
        };
        root.finish(TOP_UNSUPPORTED)?;
        Ok(config)
    }
}

fn path(value: &Value<'_>) -> Result<PathBuf, ConfigError> {
    Ok(PathBuf::from(value.string()?.value))
}

/// The least memory an instance can run with: one wasm page holds no Rust program.
const INSTANCE_MEMORY_BYTES_MIN: u64 = 1 << 20;

fn bytes(value: &Value<'_>) -> Result<usize, ConfigError> {
    let bytes = value.unsigned()?;
    let fits = usize::try_from(bytes).ok().filter(|_| bytes >= INSTANCE_MEMORY_BYTES_MIN);
    fits.ok_or_else(|| {
        value.error(format!("max_instance_memory is {bytes} bytes; the least is {INSTANCE_MEMORY_BYTES_MIN}"))
    })
}

fn stores(table: &Table<'_>) -> Result<BTreeMap<String, StoreConfig>, ConfigError> {
    table.entries().into_iter().map(|(label, value)| Ok((label.to_owned(), store(value.table()?)?))).collect()
}

fn store(mut table: Table<'_>) -> Result<StoreConfig, ConfigError> {
    let kind = table.require("type")?;
    let config = match kind.string()?.value.as_str() {
        "spin" => StoreConfig::Sqlite { path: table.get("path").map(|value| path(&value)).transpose()? },
        "redis" => StoreConfig::Redis { url: redis_url(&table.require("url")?)? },
        other => {
            let message = format!(
                "key-value type `{other}` is not supported by this host; expected \"spin\" or \"redis\""
            );
            return Err(kind.error(message));
        }
    };
    table.finish(STORE_UNSUPPORTED)?;
    Ok(config)
}

fn redis_url(value: &Value<'_>) -> Result<String, ConfigError> {
    let url = value.string()?.value;
    match crate::factors::redis::client(&url) {
        Ok(_) => Ok(url),
        Err(_) => {
            Err(value.error("`url` is not a Redis address; expected redis://HOST:PORT[/DATABASE]".to_owned()))
        }
    }
}

fn providers(value: &Value<'_>) -> Result<Vec<BTreeMap<String, String>>, ConfigError> {
    value.list()?.iter().map(|provider| static_provider(provider.table()?)).collect()
}

fn static_provider(mut table: Table<'_>) -> Result<BTreeMap<String, String>, ConfigError> {
    let kind = table.require("type")?;
    let name = kind.string()?.value;
    if name != "static" {
        let message =
            format!("variables provider `{name}` is not supported by this host; expected \"static\"");
        return Err(kind.error(message));
    }
    let values = table.require("values")?.table()?;
    let values =
        values.entries().into_iter().map(|(name, value)| Ok((name.to_owned(), value.string()?.value)));
    let values = values.collect::<Result<_, ConfigError>>()?;
    table.finish(&[])?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_supported_is_read() {
        let config = RuntimeConfig::parse(
            "runtime-config.toml",
            "state_dir = \"s\"\nmax_instance_memory = 134_217_728\n\
             [key_value_store.default]\ntype = \"redis\"\nurl = \"redis://h:1\"\n\
             [key_value_store.file]\ntype = \"spin\"\npath = \"f.db\"\n\
             [[variables_provider]]\ntype = \"static\"\nvalues = { a = \"1\" }\n",
        );
        let stores = BTreeMap::from([
            ("default".to_owned(), StoreConfig::Redis { url: "redis://h:1".to_owned() }),
            ("file".to_owned(), StoreConfig::Sqlite { path: Some(PathBuf::from("f.db")) }),
        ]);
        let expected = RuntimeConfig {
            stores,
            variables: vec![BTreeMap::from([("a".to_owned(), "1".to_owned())])],
            state_dir: Some(PathBuf::from("s")),
            max_instance_memory: Some(128 << 20),
        };
        assert!(config.is_ok_and(|config| config == expected));
    }

    fn check(text: &str, line: usize, says: &str) {
        match RuntimeConfig::parse("rc.toml", text) {
            Ok(_) => panic!("accepted: {text}"),
            Err(error) => {
                assert_eq!(error.line, line, "{error}");
                assert!(error.message.contains(says), "{error}");
            }
        }
    }

    #[test]
    fn what_is_not_is_refused_with_its_line() {
        check("x = 1", 1, "unknown field `x`");
        check("\nstate_dir = 1", 2, "must be a string");
        check("[outbound_http]\nconnection_pooling = true", 1, "not supported");
        check("[key_value_store.a]\ntype = \"azure_cosmos\"", 2, "expected \"spin\" or \"redis\"");
        check("[key_value_store.a]\ntype = \"redis\"", 1, "lacks the field `url`");
        check("[key_value_store.a]\ntype = \"redis\"\nurl = \"http://x\"", 3, "not a Redis address");
        check("[key_value_store.a]\ntype = \"spin\"\nfile = \"x\"", 3, "unknown field `file`");
        check("[[variables_provider]]\ntype = \"vault\"", 2, "expected \"static\"");
        check("[[variables_provider]]\ntype = \"static\"\nvalues = { a = 1 }", 3, "must be a string");
        check("max_instance_memory = 10", 1, "the least is");
        check("max_instance_memory = -10", 1, "whole number");
        check("a = [", 1, "not valid TOML");
    }
}
