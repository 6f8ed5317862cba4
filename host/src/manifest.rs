//! `spin.toml`, manifest version 2: the part this host runs.
//!
//! Purpose: turn the file into a [`Manifest`], refusing by name and line whatever would be ignored
//! silently otherwise.
//! Does not: resolve variables, look at the files it names, or build components
//! (`[component.x.build]` and tool metadata are accepted and left to Spin and its tools).
//! Invariant: every trigger of a [`Manifest`] names a component of it, and every template names
//! variables of it.

use std::collections::BTreeMap;

use crate::config_file::{ConfigError, Document, Located, Table, Unsupported, Value};
use crate::template::{Template, is_variable_name};

mod plug;

pub use plug::{DependencySpec, LimitsSpec};

/// A `spin.toml` that this host can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The application's name.
    pub name: String,
    /// Its variables by name.
    pub variables: BTreeMap<String, VariableSpec>,
    /// HTTP triggers in the order of the file.
    pub http: Vec<HttpTrigger>,
    /// Redis triggers in the order of the file.
    pub redis: Vec<RedisTrigger>,
    /// Components by id.
    pub components: BTreeMap<String, ComponentSpec>,
}

/// A variable as the application declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableSpec {
    /// The value when no source gives one; `None` when one must.
    pub default: Option<String>,
    /// Whether the value must stay out of anything shown.
    pub secret: bool,
}

/// A route and who serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTrigger {
    /// The route as written, such as `/webhooks/...`.
    pub route: Located<String>,
    /// The component's id.
    pub component: String,
}

/// A channel and who hears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisTrigger {
    /// The server's address.
    pub address: Located<Template>,
    /// The channel's name, literal: no patterns.
    pub channel: Located<Template>,
    /// The component's id.
    pub component: String,
}

/// A component and what it is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentSpec {
    /// The wasm file, relative to the manifest's folder.
    pub source: Located<String>,
    /// Its variables: templates over the application's.
    pub variables: BTreeMap<String, Located<Template>>,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// Hosts it may reach.
    pub allowed_outbound_hosts: Vec<Located<Template>>,
    /// Key-value stores it may open, by label.
    pub key_value_stores: Vec<Located<String>>,
    /// What it is composed with.
    pub dependencies: Vec<DependencySpec>,
    /// How far it may go.
    pub limits: LimitsSpec,
}

impl Manifest {
    /// Parses the manifest `text`, which came from `file`.
    ///
    /// # Errors
    /// The first thing that is wrong or unsupported, with its line and what is expected.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let document = Document::parse(file, text)?;
        let mut root = document.root();
        check_version(&mut root)?;
        let (name, default_address) = application(root.require("application")?.table()?)?;
        let variables = match root.get("variables") {
            Some(value) => variables(&value.table()?)?,
            None => BTreeMap::new(),
        };
        let components = match root.get("component") {
            Some(value) => components(&value.table()?, &variables)?,
            None => BTreeMap::new(),
        };
        let scope = Scope { variables: &variables, components: &components };
        let (http, redis) = triggers(root.require("trigger")?.table()?, &scope, default_address)?;
        root.finish(&[])?;
        Ok(Self { name, variables, http, redis, components })
    }
}

/// What triggers may refer to.
struct Scope<'a> {
    variables: &'a BTreeMap<String, VariableSpec>,
    components: &'a BTreeMap<String, ComponentSpec>,
}

fn check_version(root: &mut Table<'_>) -> Result<(), ConfigError> {
    let version = root.require("spin_manifest_version")?;
    match version.unsigned()? {
        2 => Ok(()),
        other => {
            Err(version.error(format!("spin_manifest_version is {other}; this host reads version 2 only")))
        }
    }
}

fn application<'a>(mut table: Table<'a>) -> Result<(String, Option<Value<'a>>), ConfigError> {
    let name = table.require("name")?.string()?.value;
    table.ignore(&["version", "description", "authors", "targets", "tool"]);
    let mut address = None;
    if let Some(value) = table.get("trigger") {
        let mut triggers = value.table()?;
        if let Some(redis) = triggers.get("redis") {
            let mut redis = redis.table()?;
            address = redis.get("address");
            redis.finish(&[])?;
        }
        triggers.finish(&[Unsupported {
            field: "http",
            reason: "`base` is gone in Spin too; write it into the routes",
        }])?;
    }
    table.finish(&[])?;
    Ok((name, address))
}

fn variables(table: &Table<'_>) -> Result<BTreeMap<String, VariableSpec>, ConfigError> {
    table.entries().into_iter().map(|(name, value)| Ok((name.to_owned(), variable(name, &value)?))).collect()
}

fn variable(name: &str, value: &Value<'_>) -> Result<VariableSpec, ConfigError> {
    if !is_variable_name(name) {
        return Err(value.error(format!(
            "`{name}` is not a variable name; expected lower-case words joined by `_`, as in `redis_url`"
        )));
    }
    let mut table = value.table()?;
    let default = table.get("default").map(|value| value.string()).transpose()?.map(|text| text.value);
    let required = table.get("required").map(|value| value.boolean()).transpose()?.unwrap_or(false);
    let secret = table.get("secret").map(|value| value.boolean()).transpose()?.unwrap_or(false);
    table.ignore(&["description"]);
    if default.is_some() == required {
        return Err(table.error(format!("variable `{name}` needs either `default` or `required = true`")));
    }
    table.finish(&[])?;
    Ok(VariableSpec { default, secret })
}

const COMPONENT_UNSUPPORTED: &[Unsupported] = &[
    Unsupported { field: "files", reason: "components get no file system; compile files in" },
    Unsupported { field: "exclude_files", reason: "components get no file system" },
    Unsupported { field: "sqlite_databases", reason: "it offers key-value and Redis only" },
    Unsupported { field: "ai_models", reason: "it offers no inference" },
    Unsupported {
        field: "dependencies_inherit_configuration",
        reason: "a dependency gets nothing of the component",
    },
    Unsupported { field: "profile", reason: "there is one profile" },
];

fn components(
    table: &Table<'_>,
    variables: &BTreeMap<String, VariableSpec>,
) -> Result<BTreeMap<String, ComponentSpec>, ConfigError> {
    let parse = |(id, value): (&str, Value<'_>)| Ok((id.to_owned(), component(id, &value, variables)?));
    table.entries().into_iter().map(parse).collect()
}

fn component(
    id: &str,
    value: &Value<'_>,
    variables: &BTreeMap<String, VariableSpec>,
) -> Result<ComponentSpec, ConfigError> {
    if !is_component_id(id) {
        return Err(value.error(format!(
            "`{id}` is not a component id; expected words joined by `-`, as in `webhook-ingest`"
        )));
    }
    let mut table = value.table()?;
    let source = source(&table.require("source")?)?;
    let own_variables = string_entries(table.get("variables"), |name, value| {
        if !is_variable_name(name) {
            return Err(value
                .error(format!("`{name}` is not a variable name; expected lower-case words joined by `_`")));
        }
        template(value, variables)
    })?;
    let environment = string_entries(table.get("environment"), |_, value| Ok(value.string()?.value))?;
    let hosts =
        table.get("allowed_outbound_hosts").map(|value| value.list()).transpose()?.unwrap_or_default();
    let hosts: Result<Vec<_>, _> = hosts.iter().map(|host| template(host, variables)).collect();
    let stores = table.get("key_value_stores").map(|value| value.strings()).transpose()?.unwrap_or_default();
    let dependencies = plug::dependencies(table.get("dependencies").as_ref())?;
    let limits = plug::limits(table.get("tool").as_ref())?;
    table.ignore(&["description", "build", "targets"]);
    table.finish(COMPONENT_UNSUPPORTED)?;
    Ok(ComponentSpec {
        source,
        variables: own_variables,
        environment,
        allowed_outbound_hosts: hosts?,
        key_value_stores: stores,
        dependencies,
        limits,
    })
}

fn is_component_id(id: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    id.starts_with(|first: char| first.is_ascii_alphabetic()) && id.split('-').all(word)
}

fn source(value: &Value<'_>) -> Result<Located<String>, ConfigError> {
    if value.is_table() {
        let reason = "only a path to a wasm file is supported by this host, as in source = \"dist/components/api.wasm\"";
        return Err(value.error(format!("`source` is a download or a package; {reason}")));
    }
    value.string()
}

fn string_entries<T>(
    value: Option<Value<'_>>,
    read: impl Fn(&str, &Value<'_>) -> Result<T, ConfigError>,
) -> Result<BTreeMap<String, T>, ConfigError> {
    let Some(value) = value else { return Ok(BTreeMap::new()) };
    let table = value.table()?;
    table.entries().into_iter().map(|(name, value)| Ok((name.to_owned(), read(name, &value)?))).collect()
}

fn template(
    value: &Value<'_>,
    variables: &BTreeMap<String, VariableSpec>,
) -> Result<Located<Template>, ConfigError> {
    let text = value.string()?;
    let template = Template::parse(&text.value).map_err(|error| value.error(error.to_string()))?;
    if let Some(name) = template.variables().find(|name| !variables.contains_key(*name)) {
        return Err(value.error(format!("there is no variable `{name}` in [variables]")));
    }
    Ok(Located { value: template, line: text.line })
}

type Triggers = (Vec<HttpTrigger>, Vec<RedisTrigger>);

fn triggers(
    mut table: Table<'_>,
    scope: &Scope<'_>,
    default_address: Option<Value<'_>>,
) -> Result<Triggers, ConfigError> {
    let http = table.get("http").map(|value| value.list()).transpose()?.unwrap_or_default();
    let redis = table.get("redis").map(|value| value.list()).transpose()?.unwrap_or_default();
    table.finish(&[])?;
    let default_address = default_address.map(|value| template(&value, scope.variables)).transpose()?;
    let http: Result<_, _> = http.iter().map(|value| http_trigger(value.table()?, scope)).collect();
    let redis: Result<_, _> =
        redis.iter().map(|value| redis_trigger(value.table()?, scope, default_address.as_ref())).collect();
    Ok((http?, redis?))
}

const TRIGGER_UNSUPPORTED: &[Unsupported] = &[
    Unsupported { field: "components", reason: "one component serves a trigger" },
    Unsupported { field: "dependencies", reason: "compose the component when building it" },
    Unsupported { field: "static_response", reason: "serve it from a component" },
];

fn http_trigger(mut table: Table<'_>, scope: &Scope<'_>) -> Result<HttpTrigger, ConfigError> {
    let route = table.require("route")?;
    if route.is_table() {
        return Err(
            route.error("private routes are not supported by this host; remove the trigger".to_owned())
        );
    }
    let route = route.string()?;
    if let Some(executor) = table.get("executor") {
        check_executor(&executor)?;
    }
    table.ignore(&["id"]);
    let component = trigger_component(&mut table, scope)?;
    table.finish(TRIGGER_UNSUPPORTED)?;
    Ok(HttpTrigger { route, component })
}

fn check_executor(executor: &Value<'_>) -> Result<(), ConfigError> {
    let mut table = executor.table()?;
    let kind = table.require("type")?.string()?.value;
    if kind != "http" && kind != "spin" {
        return Err(
            executor.error(format!("executor `{kind}` is not supported by this host; expected \"http\""))
        );
    }
    table.finish(&[])
}

fn redis_trigger(
    mut table: Table<'_>,
    scope: &Scope<'_>,
    default_address: Option<&Located<Template>>,
) -> Result<RedisTrigger, ConfigError> {
    let channel = template(&table.require("channel")?, scope.variables)?;
    let address = match table.get("address") {
        Some(value) => template(&value, scope.variables)?,
        None => default_address.cloned().ok_or_else(|| {
            table
                .error("this trigger has no `address`, and [application.trigger.redis] gives none".to_owned())
        })?,
    };
    table.ignore(&["id"]);
    let component = trigger_component(&mut table, scope)?;
    table.finish(TRIGGER_UNSUPPORTED)?;
    Ok(RedisTrigger { address, channel, component })
}

fn trigger_component(table: &mut Table<'_>, scope: &Scope<'_>) -> Result<String, ConfigError> {
    let value = table.require("component")?;
    if value.is_table() {
        return Err(value
            .error("inline components are not supported by this host; name a [component.<id>]".to_owned()));
    }
    let id = value.string()?.value;
    if scope.components.contains_key(&id) {
        return Ok(id);
    }
    let known: Vec<&str> = scope.components.keys().map(String::as_str).collect();
    Err(value.error(format!("there is no component `{id}`; the manifest has {}", known.join(", "))))
}
