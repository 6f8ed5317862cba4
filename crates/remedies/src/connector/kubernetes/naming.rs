//! Which releases a pod template names.
//!
//! A release is known by its version and its commit. A template names it when one of these does:
//! the tag or the digest of a container's image, the labels `app.kubernetes.io/version` and
//! `version`, the values of the annotations. A version must be the whole of it. A commit may be
//! shortened, to [`COMMIT_DIGITS_MIN`] digits, and may be one part of several: `main-600d1de`.
//!
//! What both releases have in common, as the version `main` of two commits, names neither.
//!
//! What this does not do: it does not look into names of images, environment values or arguments,
//! and it takes no part of a version for the whole: `v2` is not `v21`, nor `v2-alpine`.

use homeostat_schema::types::Plan;
use serde_json::Value;

/// git's shortest abbreviation by default. Fewer digits name a release by chance too often.
const COMMIT_DIGITS_MIN: usize = 7;
/// What stands between a commit and what else is in a tag.
const SEPARATORS: [char; 4] = ['-', '_', '.', '+'];
const VERSION_LABELS: [&str; 2] = ["app.kubernetes.io/version", "version"];

/// What a template says about the two releases that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// The release in question alone.
    Question,
    /// The last good release alone.
    Good,
    Both,
    Neither,
}

/// The release in question and the last good one, by what tells them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Releases {
    question: Id,
    good: Id,
}

/// A release by what can be looked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Id {
    version: Option<String>,
    commit: Option<String>,
}

impl Releases {
    pub(super) fn of(plan: &Plan) -> Self {
        let question = Id::new(plan.version.as_ref(), plan.commit.as_ref());
        let good = plan.last_good.as_ref();
        Self::told_apart(
            question,
            good.map(|good| Id::new(good.version.as_ref(), good.commit.as_ref())).unwrap_or_default(),
        )
    }

    fn told_apart(mut question: Id, mut good: Id) -> Self {
        if question.version == good.version {
            (question.version, good.version) = (None, None);
        }
        if question.commit.as_deref().is_some_and(|commit| good.is_commit(commit)) {
            (question.commit, good.commit) = (None, None);
        }
        Self { question, good }
    }

    pub(super) fn named_by(&self, template: &Value) -> Names {
        let words = words(template);
        match (words.iter().any(|word| self.question.is(word)), words.iter().any(|word| self.good.is(word))) {
            (true, true) => Names::Both,
            (true, false) => Names::Question,
            (false, true) => Names::Good,
            (false, false) => Names::Neither,
        }
    }
}

impl Id {
    fn new(version: Option<&String>, commit: Option<&String>) -> Self {
        let version = version.filter(|version| !version.is_empty()).cloned();
        let commit = commit.filter(|commit| is_commit(commit)).map(|commit| commit.to_ascii_lowercase());
        Self { version, commit }
    }

    fn is(&self, word: &str) -> bool {
        self.version.as_deref() == Some(word) || word.split(SEPARATORS).any(|part| self.is_commit(part))
    }

    /// One of the two may be the other one shortened.
    fn is_commit(&self, part: &str) -> bool {
        let part = part.to_ascii_lowercase();
        let same = |ours: &String| ours.starts_with(&part) || part.starts_with(ours);
        is_commit(&part) && self.commit.as_ref().is_some_and(same)
    }
}

fn is_commit(text: &str) -> bool {
    text.len() >= COMMIT_DIGITS_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// All that may name a release.
fn words(template: &Value) -> Vec<&str> {
    let mut words = Vec::new();
    for group in ["containers", "initContainers"] {
        for container in template["spec"][group].as_array().into_iter().flatten() {
            words.extend(image_words(container["image"].as_str().unwrap_or_default()));
        }
    }
    let labels = &template["metadata"]["labels"];
    words.extend(VERSION_LABELS.iter().filter_map(|label| labels[*label].as_str()));
    let annotations = template["metadata"]["annotations"].as_object();
    words.extend(annotations.into_iter().flatten().filter_map(|(_, value)| value.as_str()));
    words
}

/// The tag; the digest with and without its algorithm. Of `host:5000/name:tag@sha256:0f…`, the
/// first colon is a port's.
fn image_words(image: &str) -> impl Iterator<Item = &str> {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let last = name.rsplit_once('/').map_or(name, |(_, last)| last);
    let tag = last.split_once(':').map(|(_, tag)| tag);
    let bare = digest.and_then(|digest| digest.split_once(':')).map(|(_, bare)| bare);
    [tag, digest, bare].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COMMIT: &str = "600d1dea0b0b5f2f6e8b3c1d9a7e4f5061728394";

    fn image(image: &str) -> Value {
        json!({"spec": {"containers": [{"image": "proxy:9"}, {"image": image}]}})
    }

    fn releases(question: (&str, &str), good: (&str, &str)) -> Releases {
        let id =
            |(version, commit): (&str, &str)| Id::new(Some(&version.to_owned()), Some(&commit.to_owned()));
        Releases::told_apart(id(question), id(good))
    }

    #[test]
    fn an_image_names_a_release_by_its_whole_tag_or_its_digest() {
        let check = |named: &str, version: &str, commit: &str, expected: bool| {
            let found = releases((version, commit), ("", "")).named_by(&image(named)) == Names::Question;
            assert_eq!(found, expected, "{named} {version} {commit}");
        };
        check("web:v2", "v2", "", true);
        check("host:5000/shop/web:v2", "v2", "", true);
        check("host:5000/shop/web:v2@sha256:0f0f", "v2", "", true);
        check("web@sha256:0f0f", "sha256:0f0f", "", true);
        check("web@sha256:0f0f", "0f0f", "", true);
        check("web:v21", "v2", "", false);
        check("web:v2-alpine", "v2", "", false);
        check("web:v2", "v21", "", false);
        check("web:v2", "V2", "", false);
        check("web:v2", "2", "", false);
        check("host:5000/web", "5000/web", "", false);
        check("v2/web", "v2", "", false);
        check("v2:1", "v2", "", false);
        check("web", "web", "", false);
        check("", "v2", "", false);
    }

    #[test]
    fn an_image_names_a_release_by_its_commit_whole_shortened_or_among_other_parts() {
        let check = |named: &str, commit: &str, expected: bool| {
            let found = releases(("", commit), ("", "")).named_by(&image(named)) == Names::Question;
            assert_eq!(found, expected, "{named} {commit}");
        };
        check(&format!("web:{COMMIT}"), COMMIT, true);
        check(&format!("web:{COMMIT}"), "600d1de", true);
        for tag in ["600d1de", "600D1DEA0", "main-600d1de", "sha_600d1de", "1.2.3+600d1de", "a.600d1de.b"] {
            check(&format!("web:{tag}"), COMMIT, true);
        }
        // Too short, not the commit's, not a part of its own, not the tag.
        for tag in ["600d1d", "600d1df", "600d1de0", "g600d1de", "main600d1de", "a0600d1de"] {
            check(&format!("web:{tag}"), COMMIT, false);
        }
        check("600d1de:1", COMMIT, false);
        check("600d1de/web", COMMIT, false);
        check("web:600d1d", "600d1d", false);
        check("web:main", "main", false);
    }

    #[test]
    fn labels_and_annotations_name_a_release_too() {
        let check = |template: Value, expected: Names| {
            assert_eq!(releases(("v2", ""), ("v1", COMMIT)).named_by(&template), expected, "{template}");
        };
        check(json!({"metadata": {"labels": {"app.kubernetes.io/version": "v2"}}}), Names::Question);
        check(json!({"metadata": {"labels": {"version": "v1"}}}), Names::Good);
        check(json!({"metadata": {"labels": {"app": "v1"}}}), Names::Neither);
        check(json!({"metadata": {"annotations": {"acme/commit": "600d1dea0"}}}), Names::Good);
        check(json!({"metadata": {"annotations": {"acme/was": "v1", "acme/is": "v2"}}}), Names::Both);
        check(json!({"metadata": {"annotations": {"acme/note": "not v2"}}}), Names::Neither);
        check(json!({"spec": {"initContainers": [{"image": "web:v2"}]}}), Names::Question);
        for nonsense in [json!(null), json!([]), json!({"metadata": 5, "spec": {"containers": "v2"}})] {
            check(nonsense, Names::Neither);
        }
    }

    #[test]
    fn what_two_releases_have_in_common_names_neither() {
        let bad = "badc0ffee1e5d4c3b2a190817263544536271809";
        let check = |question: (&str, &str), named: &str, expected: Names| {
            assert_eq!(releases(question, ("main", COMMIT)).named_by(&image(named)), expected, "{named}");
        };
        check(("main", bad), "web:main", Names::Neither);
        check(("main", bad), "web:badc0ff", Names::Question);
        check(("main", bad), "web:600d1de", Names::Good);
        check(("v2", "600d1de"), "web:600d1de", Names::Neither);
        check(("v2", "600d1de"), "web:v2", Names::Question);
        check(("v2", "600d1de"), "web:main", Names::Good);
        check(("", ""), "web:main", Names::Good);
    }

    #[test]
    fn a_release_without_a_name_is_named_by_nothing() {
        let nameless = releases(("", ""), ("", ""));
        for named in ["web:v1", "web:", "web", ""] {
            assert_eq!(nameless.named_by(&image(named)), Names::Neither, "{named}");
        }
    }
}
