//! Flux's forms of a revision, old and new.
//!
//! What this does not do: tell a branch from a tag.

use homeostat_schema::wire::flat::{self, bounded};

use crate::said::{attribute, short_ref};

/// What a revision names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Revision {
    /// A branch or tag.
    pub(super) branch: Option<String>,
    pub(super) commit: Option<String>,
    /// Of a chart or an artifact.
    pub(super) version: Option<String>,
    /// `sha256:…` of an artifact.
    pub(super) digest: Option<String>,
}

/// Digits of a commit in a SHA-1 and in a SHA-256 repository.
const COMMIT_DIGITS: [usize; 2] = [40, 64];

impl Revision {
    /// `main@sha1:<commit>`, `main/<commit>`, `sha1:<commit>`, `6.2.0@sha256:<digest>`,
    /// `sha256:<digest>`, or a version. A branch's name may hold `/` and `@`.
    pub(super) fn of(text: &str) -> Self {
        let (name, hash) = match text.rsplit_once('@') {
            Some((name, hash)) => (Some(name), hash),
            None => (None, text),
        };
        if let Some(commit) = hash.strip_prefix("sha1:") {
            return Self { branch: name.and_then(short_ref), commit: bounded(commit), ..Self::default() };
        }
        if hash.starts_with("sha256:") {
            return Self::hashed(name, hash);
        }
        match text.rsplit_once('/') {
            Some((name, commit)) if is_commit(commit) => {
                Self { branch: short_ref(name), commit: bounded(commit), ..Self::default() }
            }
            _ if is_commit(text) => Self { commit: bounded(text), ..Self::default() },
            _ => Self { version: bounded(text), ..Self::default() },
        }
    }

    /// Of an artifact, or of a commit in a SHA-256 repository; those have the same form, and only
    /// the name tells a version from a branch.
    fn hashed(name: Option<&str>, hash: &str) -> Self {
        let is_version =
            name.is_none_or(|name| name.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()));
        let (version, branch) = if is_version { (name, None) } else { (None, name) };
        Self {
            version: version.and_then(bounded),
            branch: branch.and_then(short_ref),
            digest: bounded(hash),
            commit: None,
        }
    }

    /// Puts it into a draft; what the operator named stays.
    pub(super) fn describe(self, draft: &mut flat::Draft) {
        attribute(draft, "digest", self.digest.as_deref());
        draft.branch = self.branch;
        draft.commit = self.commit;
        draft.version = draft.version.take().or(self.version);
    }
}

fn is_commit(text: &str) -> bool {
    COMMIT_DIGITS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "731f7eaddfb6af01cb2173e18f0f75b0ba780ef1";

    fn check(text: &str, branch: Option<&str>, commit: Option<&str>, version: Option<&str>) {
        let read = Revision::of(text);
        let all = (read.branch.as_deref(), read.commit.as_deref(), read.version.as_deref());
        assert_eq!(all, (branch, commit, version), "{text}");
    }

    #[test]
    fn every_form_of_a_revision_is_read() {
        check(&format!("main@sha1:{COMMIT}"), Some("main"), Some(COMMIT), None);
        check(&format!("main/{COMMIT}"), Some("main"), Some(COMMIT), None);
        check(&format!("feature/cart@2/{COMMIT}"), Some("feature/cart@2"), Some(COMMIT), None);
        check(&format!("refs/heads/main@sha1:{COMMIT}"), Some("main"), Some(COMMIT), None);
        check(&format!("v1.2.3@sha1:{COMMIT}"), Some("v1.2.3"), Some(COMMIT), None);
        check(&format!("sha1:{COMMIT}"), None, Some(COMMIT), None);
        check(COMMIT, None, Some(COMMIT), None);
        check("6.5.0", None, None, Some("6.5.0"));
        check("6.5.0+build.1", None, None, Some("6.5.0+build.1"));
        check("6.2.0@sha256:abcd", None, None, Some("6.2.0"));
        check("latest@sha256:abcd", Some("latest"), None, None);
        check("sha256:abcd", None, None, None);
        check("", None, None, None);
    }

    #[test]
    fn a_digest_is_kept() {
        assert_eq!(Revision::of("6.2.0@sha256:abcd").digest.as_deref(), Some("sha256:abcd"));
    }
}
