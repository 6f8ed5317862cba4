//! What sinks and reconcilers must satisfy beyond their types.

use std::collections::BTreeSet;

use super::validate::{Checked, at_most, is_path_part, within};
use super::{Ask, Config, Invalid, Reconcile, Sink};

/// Every happening is sent to every sink, and every sink has a shard of its own.
const SINKS_MAX: usize = 8;
/// Each is looked at in turn by one worker.
const RECONCILERS_MAX: usize = 64;
/// Names become parts of keys and of variables' lines.
const NAME_CHARS_MAX: usize = 32;
/// Longest address of a sink, bytes.
const URL_BYTES_MAX: usize = 2_048;
/// More often would be load, less often would be no help; seconds.
const EVERY_S: std::ops::RangeInclusive<u64> = 5..=86_400;
/// A week at most: what is silent for longer has been noticed; seconds.
const FLOOR_S: std::ops::RangeInclusive<u64> = 60..=604_800;

impl Config {
    pub(super) fn validate_outside(&self) -> Checked {
        at_most("sink", self.sinks.len(), SINKS_MAX)?;
        at_most("reconcile", self.reconcilers.len(), RECONCILERS_MAX)?;
        let mut names = BTreeSet::new();
        for (index, sink) in self.sinks.iter().enumerate() {
            validate_sink(&format!("sink[{index}]"), sink, &mut names)?;
        }
        let mut ids = BTreeSet::new();
        for (index, reconcile) in self.reconcilers.iter().enumerate() {
            self.validate_reconcile(&format!("reconcile[{index}]"), reconcile, &mut ids)?;
        }
        Ok(())
    }

    fn validate_reconcile<'a>(
        &self,
        path: &str,
        reconcile: &'a Reconcile,
        ids: &mut BTreeSet<&'a str>,
    ) -> Checked {
        own_name(&format!("{path}.id"), &reconcile.id, ids)?;
        within(&format!("{path}.every_s"), reconcile.every_s, EVERY_S)?;
        if !reconcile.source.split('/').all(is_path_part) {
            return Err(Invalid::new(
                format!("{path}.source"),
                "a source instance is expected, such as `github`",
            ));
        }
        match &reconcile.ask {
            Ask::GithubHook { repository, .. } => {
                let parts: Vec<&str> = repository.split('/').collect();
                if parts.len() == 2 && parts.iter().all(|part| is_path_part(part)) {
                    return Ok(());
                }
                let field = format!("{path}.ask.github-hook.repository");
                Err(Invalid::new(field, "a repository is written `owner/name`"))
            }
            Ask::Rhythm { floor_s, env } => {
                within(&format!("{path}.ask.rhythm.floor_s"), *floor_s, FLOOR_S)?;
                self.validate_env_reference(&format!("{path}.ask.rhythm.env"), env)
            }
            Ask::GithubApp { .. } | Ask::GitlabHook { .. } | Ask::Alertmanager => Ok(()),
        }
    }
}

fn validate_sink<'a>(path: &str, sink: &'a Sink, names: &mut BTreeSet<&'a str>) -> Checked {
    own_name(&format!("{path}.name"), &sink.name, names)?;
    if !is_address(&sink.url) {
        let reason = "an http or https address is expected, without user, query and fragment";
        return Err(Invalid::new(format!("{path}.url"), reason));
    }
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    if sink.source.is_empty() || sink.source.len() > URL_BYTES_MAX || !sink.source.bytes().all(plain) {
        return Err(Invalid::new(
            format!("{path}.source"),
            "a URI reference is expected, such as `/homeostat`",
        ));
    }
    Ok(())
}

pub(super) fn own_name<'a>(field: &str, name: &'a str, taken: &mut BTreeSet<&'a str>) -> Checked {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.bytes().all(plain) {
        let reason = format!("a name has lower-case letters, digits and `-`, at most {NAME_CHARS_MAX}");
        return Err(Invalid::new(field, reason));
    }
    if taken.insert(name) { Ok(()) } else { Err(Invalid::new(field, format!("`{name}` is given twice"))) }
}

fn is_address(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    url.len() <= URL_BYTES_MAX
        && !authority.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\\\"<>".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_place_and_no_secret() {
        let check = |url: &str, expected: bool| assert_eq!(is_address(url), expected, "{url}");
        check("https://events.example.com/in", true);
        check("http://127.0.0.1:8080", true);
        check("https://", false);
        check("ftp://example.com", false);
        check("https://user:pass@example.com", false);
        check("https://example.com/?token=1", false);
        check("https://example.com/a b", false);
    }
}
