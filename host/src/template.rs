//! `{{ name }}` templates over application variables.
//!
//! Purpose: parse and expand the templates that Spin allows in trigger addresses, channels,
//! `allowed_outbound_hosts` and component variables.
//! Does not: nest, escape, or call functions; an expanded value is not expanded again.
//! Invariant: a parsed [`Template`] names only well-formed variables.

use std::collections::BTreeMap;

/// Text with holes for variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String),
}

/// Why a template cannot be read or filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `{{` with no `}}` after it.
    #[error("`{{{{` without `}}}}`; write `{{{{ name }}}}`")]
    Unclosed,
    /// What stands between the braces is no variable name.
    #[error("`{0}` is not a variable name; expected lower-case words joined by `_`, as in `redis_url`")]
    BadName(String),
    /// The application has no such variable.
    #[error("there is no variable `{0}` in [variables]")]
    Unknown(String),
}

impl Template {
    /// Parses `text`.
    ///
    /// # Errors
    /// [`TemplateError::Unclosed`] and [`TemplateError::BadName`].
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, tail) = after.split_once("}}").ok_or(TemplateError::Unclosed)?;
            let name = name.trim();
            if !is_variable_name(name) {
                return Err(TemplateError::BadName(name.to_owned()));
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Variable(name.to_owned()));
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// Fills the holes from `variables`.
    ///
    /// # Errors
    /// [`TemplateError::Unknown`] for a name that is not among them.
    pub fn expand(&self, variables: &BTreeMap<String, String>) -> Result<String, TemplateError> {
        let mut expanded = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => expanded.push_str(text),
                Part::Variable(name) => match variables.get(name) {
                    Some(value) => expanded.push_str(value),
                    None => return Err(TemplateError::Unknown(name.clone())),
                },
            }
        }
        Ok(expanded)
    }

    /// The variables it names, in order of appearance.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }
}

/// Whether `name` is lower-case words of letters and digits joined by single underscores, the
/// first beginning with a letter.
pub fn is_variable_name(name: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.split('_').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> BTreeMap<String, String> {
        [("redis_url", "redis://h:1"), ("a1", "{{ redis_url }}"), ("empty", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn check(text: &str, expected: Result<&str, TemplateError>) {
        let expanded = Template::parse(text).and_then(|template| template.expand(&variables()));
        assert_eq!(expanded, expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn templates_expand_once_and_refuse_what_they_cannot_read() {
        check("", Ok(""));
        check("plain } text }}", Ok("plain } text }}"));
        check("{{ redis_url }}/1", Ok("redis://h:1/1"));
        check("{{redis_url}}{{ empty }}-{{ redis_url }}", Ok("redis://h:1-redis://h:1"));
        check("{{ a1 }}", Ok("{{ redis_url }}"));
        check("x {{ redis_url", Err(TemplateError::Unclosed));
        check("{{ }}", Err(TemplateError::BadName(String::new())));
        check("{{ Redis }}", Err(TemplateError::BadName("Redis".to_owned())));
        check("{{ a__b }}", Err(TemplateError::BadName("a__b".to_owned())));
        check("{{ nope }}", Err(TemplateError::Unknown("nope".to_owned())));
    }

    #[test]
    fn variable_names_are_lower_snake_case() {
        for good in ["a", "a1", "redis_url", "webhook_secret_github2", "a_1"] {
            assert!(is_variable_name(good), "{good}");
        }
        for bad in ["", "1a", "_a", "a_", "a__b", "A", "a-b", "ä"] {
            assert!(!is_variable_name(bad), "{bad}");
        }
    }
}
