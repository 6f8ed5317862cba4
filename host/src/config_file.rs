//! Reading a TOML file so that every complaint names file and line.
//!
//! Purpose: the manifest and the runtime configuration are walked by hand over the spanned parse
//! tree, so that a field this host does not support is refused at its own line, and a mistake found
//! late (a bad template, an unknown component) still knows where it was written.
//! Does not: know any field of either file.
//! Invariant: a [`Table`] whose [`Table::finish`] was called has had every key looked at.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A mistake in a configuration file, with where it is and what was expected instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct ConfigError {
    /// The file as the operator named it.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, and what is expected.
    pub message: String,
}

/// A field that Spin knows and this host does not do, with the reason.
pub struct Unsupported {
    /// The field's name.
    pub field: &'static str,
    /// Why, or what to do instead.
    pub reason: &'static str,
}

/// A parsed file and its text.
pub struct Document<'a> {
    file: &'a str,
    text: &'a str,
    root: Spanned<DeTable<'a>>,
}

impl<'a> Document<'a> {
    /// Parses `text`, which came from `file`.
    ///
    /// # Errors
    /// The TOML syntax error, with its line.
    pub fn parse(file: &'a str, text: &'a str) -> Result<Self, ConfigError> {
        match DeTable::parse(text) {
            Ok(root) => Ok(Self { file, text, root }),
            Err(error) => Err(ConfigError {
                file: file.to_owned(),
                line: line_of(text, error.span().map_or(0, |span| span.start)),
                message: format!("not valid TOML: {}", error.message()),
            }),
        }
    }

    /// The document's top-level table.
    pub fn root(&self) -> Table<'_> {
        Table {
            place: Place { file: self.file, text: self.text },
            path: String::new(),
            span: 0..0,
            entries: self.root.get_ref(),
            seen: BTreeSet::new(),
        }
    }
}

#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a str,
    text: &'a str,
}

impl Place<'_> {
    fn error(&self, span: &Range<usize>, message: String) -> ConfigError {
        ConfigError { file: self.file.to_owned(), line: line_of(self.text, span.start), message }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// A value that remembers where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its line, counted from 1.
    pub line: usize,
}

/// One table; getters mark the keys they look at.
pub struct Table<'a> {
    place: Place<'a>,
    path: String,
    span: Range<usize>,
    entries: &'a DeTable<'a>,
    seen: BTreeSet<&'static str>,
}

/// One value with its place.
pub struct Value<'a> {
    place: Place<'a>,
    path: String,
    span: Range<usize>,
    value: &'a DeValue<'a>,
}

impl<'a> Table<'a> {
    /// The value of `field`, if it is there.
    pub fn get(&mut self, field: &'static str) -> Option<Value<'a>> {
        self.seen.insert(field);
        let value = self.entries.get(field)?;
        Some(self.value_at(field, value))
    }

    /// The value of `field`.
    ///
    /// # Errors
    /// When it is missing, at the line of the table.
    pub fn require(&mut self, field: &'static str) -> Result<Value<'a>, ConfigError> {
        match self.get(field) {
            Some(value) => Ok(value),
            None => Err(self.error(format!("{} lacks the field `{field}`", self.name()))),
        }
    }

    /// Accepts `fields` without looking at them: they do not change what runs.
    pub fn ignore(&mut self, fields: &[&'static str]) {
        self.seen.extend(fields);
    }

    /// Every entry, in order of key.
    pub fn entries(&self) -> Vec<(&'a str, Value<'a>)> {
        let place = |key: &'a Spanned<std::borrow::Cow<'a, str>>| key.get_ref().as_ref();
        self.entries.iter().map(|(key, value)| (place(key), self.value_at(place(key), value))).collect()
    }

    /// Refuses every key that no getter asked for.
    ///
    /// # Errors
    /// The first such key: unsupported with its reason, or unknown with the fields expected.
    pub fn finish(self, unsupported: &[Unsupported]) -> Result<(), ConfigError> {
        for key in self.entries.keys() {
            let name = key.get_ref().as_ref();
            if self.seen.contains(name) {
                continue;
            }
            let message = match unsupported.iter().find(|known| known.field == name) {
                Some(known) => {
                    format!("`{name}` in {} is not supported by this host: {}", self.name(), known.reason)
                }
                None => format!("unknown field `{name}` in {}; expected {}", self.name(), self.expected()),
            };
            return Err(self.place.error(&key.span(), message));
        }
        Ok(())
    }

    /// An error at the line where this table begins.
    pub fn error(&self, message: String) -> ConfigError {
        self.place.error(&self.span, message)
    }

    /// The line where this table begins.
    pub fn line(&self) -> usize {
        line_of(self.place.text, self.span.start)
    }

    fn value_at(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Value<'a> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Value { place: self.place, path, span: value.span(), value: value.get_ref() }
    }

    fn name(&self) -> String {
        if self.path.is_empty() { "the top level".to_owned() } else { format!("[{}]", self.path) }
    }

    fn expected(&self) -> String {
        if self.seen.is_empty() {
            return "no field here".to_owned();
        }
        let names: Vec<String> = self.seen.iter().map(|name| format!("`{name}`")).collect();
        format!("one of {}", names.join(", "))
    }
}

impl<'a> Value<'a> {
    /// A string.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn string(&self) -> Result<Located<String>, ConfigError> {
        match self.value.as_str() {
            Some(text) => Ok(self.located(text.to_owned())),
            None => Err(self.wrong("a string")),
        }
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn boolean(&self) -> Result<bool, ConfigError> {
        self.value.as_bool().ok_or_else(|| self.wrong("true or false"))
    }

    /// A whole number from zero up.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn unsigned(&self) -> Result<u64, ConfigError> {
        let integer = self.value.as_integer().filter(|integer| integer.radix() == 10);
        let parsed = integer.and_then(|integer| integer.as_str().replace('_', "").parse().ok());
        parsed.ok_or_else(|| self.wrong("a whole number from zero up"))
    }

    /// A list; its items carry their own lines.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn list(&self) -> Result<Vec<Value<'a>>, ConfigError> {
        let Some(items) = self.value.as_array() else { return Err(self.wrong("a list")) };
        let item = |item: &'a Spanned<DeValue<'a>>| Value {
            place: self.place,
            path: self.path.clone(),
            span: item.span(),
            value: item.get_ref(),
        };
        Ok(items.iter().map(item).collect())
    }

    /// A list of strings.
    ///
    /// # Errors
    /// When it, or an item of it, is anything else.
    pub fn strings(&self) -> Result<Vec<Located<String>>, ConfigError> {
        self.list()?.iter().map(Value::string).collect()
    }

    /// A table.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn table(&self) -> Result<Table<'a>, ConfigError> {
        match self.value.as_table() {
            Some(entries) => Ok(Table {
                place: self.place,
                path: self.path.clone(),
                span: self.span.clone(),
                entries,
                seen: BTreeSet::new(),
            }),
            None => Err(self.wrong("a table")),
        }
    }

    /// Whether it is a table.
    pub fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// An error at this value's line.
    pub fn error(&self, message: String) -> ConfigError {
        self.place.error(&self.span, message)
    }

    fn located<T>(&self, value: T) -> Located<T> {
        Located { value, line: line_of(self.place.text, self.span.start) }
    }

    fn wrong(&self, expected: &str) -> ConfigError {
        self.error(format!("`{}` must be {expected}, found {}", self.path, self.value.type_str()))
    }
}
