//! Which service and which environment a sender means.
//!
//! Senders have their own names: GitHub says `acme/shop`, Alertmanager `checkout`; GitHub's
//! `production` is our `prod`. These functions turn them into ours, by the rules of the
//! configuration. What no rule knows becomes `unassigned/<source>/<name>` or `unknown`, which have
//! the strictest settings. They guess nothing.
//!
//! Invariant: a resolved name is safe in a key, a path and a metric's label: letters, digits and
//! `-_./~`, of bounded length.

use sha2::{Digest, Sha256};

use crate::config::{BUILT_IN_ALIASES, Config, UNKNOWN};
use crate::types::EventKind;

/// First part of the name of a service no rule knows.
pub const UNASSIGNED: &str = "unassigned";

/// Longest name of a service, and longest part a sender's name may have in one; characters.
pub const NAME_CHARS_MAX: usize = 100;

/// Longest name of an environment; characters.
pub const ENV_NAME_CHARS_MAX: usize = 32;

/// Stands for a name the sender did not give.
const UNNAMED: &str = "unnamed";

/// Hexadecimal digits of the digest that tells apart names which normalise alike.
const DIGEST_CHARS: usize = 8;

/// The canonical environment for a sender's name of it: a configured environment, one of the
/// user's aliases, a built-in one (production, staging, development), else `unknown`. Compared
/// without regard to case and to white space around it.
pub fn environment(config: &Config, theirs: Option<&str>) -> String {
    let name = theirs.unwrap_or_default().trim().to_lowercase();
    let alias = |aliases: &[String]| aliases.iter().any(|alias| alias.trim().to_lowercase() == name);
    let built_in = || BUILT_IN_ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, ours)| *ours);
    let own =
        || config.environments.iter().find(|(_, env)| alias(&env.aliases)).map(|(ours, _)| ours.as_str());
    let exact = config.environments.get_key_value(&name).map(|(ours, _)| ours.as_str());
    exact.or_else(built_in).or_else(own).unwrap_or(UNKNOWN).to_owned()
}

/// The canonical environment of an event of this (canonical) service: by the sender's name of it,
/// and for a run or job without one, the environment the service's pipeline counts to.
pub fn environment_of(config: &Config, kind: &EventKind, service: &str, theirs: Option<&str>) -> String {
    let named = theirs.is_some_and(|name| !name.trim().is_empty());
    if named || !matches!(kind, EventKind::Run | EventKind::Job) {
        return environment(config, theirs);
    }
    let pipeline = config.service(service).and_then(|service| service.pipeline_env.clone());
    pipeline.unwrap_or_else(|| UNKNOWN.to_owned())
}

/// The service for a sender's name of it: the first `[[service]] match` rule with this source (or
/// any) and this name, else the configured service of this very name, else
/// `unassigned/<source>/<name>`. Compared without regard to case and white space around it.
pub fn service(config: &Config, source: &str, theirs: Option<&str>) -> String {
    let name = theirs.unwrap_or_default().trim().to_lowercase();
    let same = |text: &str, other: &str| text.trim().to_lowercase() == other;
    let source = source.trim().to_lowercase();
    let matched = config.services.iter().find(|service| {
        service
            .matches
            .iter()
            .any(|rule| same(&rule.name, &name) && (rule.source.trim() == "*" || same(&rule.source, &source)))
    });
    let found = matched.or_else(|| config.services.iter().find(|service| same(&service.name, &name)));
    found.map_or_else(|| unassigned(&source, &name), |service| service.name.clone())
}

/// Whether this is the name of a service no rule knows.
pub fn is_unassigned(service: &str) -> bool {
    service.split('/').next() == Some(UNASSIGNED)
}

fn unassigned(source: &str, name: &str) -> String {
    let source = safe_name(source);
    let name = safe_name(name);
    format!("{UNASSIGNED}/{source}/{name}")
}

/// A name that is safe as part of a key: lower case, everything but letters, digits and `-_./~`
/// replaced by `-`, no empty, `.` or `..` path segment, at most [`NAME_CHARS_MAX`] characters.
/// When anything beyond case was lost, `~` and a digest of the name tell it from its likes.
/// An empty name becomes `unnamed`. Doing it again changes nothing.
pub fn safe_name(text: &str) -> String {
    let folded = text.trim().to_lowercase();
    if folded.is_empty() {
        return UNNAMED.to_owned();
    }
    let replaced: String =
        folded.chars().map(|character| if is_safe(character) { character } else { '-' }).collect();
    let segments = replaced.split('/').filter(|segment| !segment.chars().all(|character| character == '.'));
    let cleaned = segments.collect::<Vec<_>>().join("/");
    if cleaned == folded && cleaned.len() <= NAME_CHARS_MAX {
        return cleaned;
    }
    let head: String = cleaned.chars().take(NAME_CHARS_MAX - DIGEST_CHARS - 1).collect();
    let digest: String = hex(&Sha256::digest(folded.as_bytes())).chars().take(DIGEST_CHARS).collect();
    format!("{}~{digest}", head.trim_end_matches('/'))
}

fn is_safe(character: char) -> bool {
    character.is_ascii_lowercase() || character.is_ascii_digit() || "-_./~".contains(character)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a release is called before people: a whole commit id by its first seven digits, as git
/// shows it; any other name as it is.
pub fn release_shown(name: &str) -> &str {
    let is_commit = matches!(name.len(), 40 | 64) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_commit { name.get(..7).unwrap_or(name) } else { name }
}
