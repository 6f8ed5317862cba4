//! Secrets: which are there, by the names of their variables, and whether the token is kept safe.
//!
//! Does not: know what an app that runs already was given; it says what this shell would give one.
//! Invariant: no value is printed, not even its length.

use std::os::unix::fs::PermissionsExt;

use homeostat_schema::config::Config;
use homeostat_schema::secret::SecretList;
use homeostat_sources::sealed::BodyKey;
use homeostat_sources::{Instance, Source};

use super::Arguments;
use super::finding::Finding;
use super::setup::Setup;
use crate::variables::environment_name;

const CHECK: &str = "secrets";

/// Looks at all of them.
pub(super) fn look(arguments: &Arguments, setup: &Setup, findings: &mut Vec<Finding>) {
    findings.push(sources(&|name| setup.variable(name).is_some()));
    findings.extend(unreadable(setup.config.as_ref(), &|name| setup.variable(name).map(str::to_owned)));
    findings.extend(targets(setup.config.as_ref(), &|name| setup.variable(name).is_some()));
    findings.extend(token_file(arguments));
}

/// Which sources would be refused.
fn sources(is_set: &dyn Fn(&str) -> bool) -> Finding {
    let (known, refused): (Vec<Source>, Vec<Source>) =
        Source::ALL.iter().copied().partition(|source| is_set(&source.secret_variable()));
    let names =
        |sources: &[Source]| sources.iter().map(|source| source.name()).collect::<Vec<_>>().join(", ");
    if known.is_empty() {
        let first = environment_name(&Source::GITHUB.secret_variable());
        return Finding::warn(
            CHECK,
            "no webhook secret is set in this shell: an app started from it refuses every source",
            format!(
                "set {first}=... before `homeostat up`; an app that runs already may have been given its own"
            ),
        );
    }
    let rest = if refused.is_empty() {
        String::new()
    } else {
        format!("; refused without one: {}", names(&refused))
    };
    Finding::ok(CHECK, format!("webhook secrets are set for {}{rest}", names(&known)))
}

/// Lists of secrets, and the key for kept deliveries, that say something else than was meant.
fn unreadable(config: Option<&Config>, value: &dyn Fn(&str) -> Option<String>) -> Vec<Finding> {
    let default = Config::default();
    let instances = Instance::all(config.unwrap_or(&default));
    let lists = instances.iter().filter_map(|instance| {
        let variable = instance.secret_variable();
        let why = SecretList::check(&value(&variable)?).err()?;
        let mend = "docs/sources/README.md shows the form; what cannot be read proves nothing";
        Some(Finding::wrong(CHECK, format!("{variable}: {why}"), mend.to_owned()))
    });
    let key = value("body_key").and_then(|text| BodyKey::parse(&text).err());
    let key = key.map(|why| {
        let mend = format!("set {}=$(openssl rand -hex 32)", environment_name("body_key"));
        Finding::wrong(CHECK, format!("body_key: {why}"), mend)
    });
    lists.chain(key).collect()
}

/// Tokens that the configuration's targets need.
fn targets(config: Option<&Config>, is_set: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let Some(config) = config else { return Vec::new() };
    let github = config.services.iter().filter(|service| service.github.is_some()).count();
    let kubernetes = config.services.iter().filter(|service| !service.kubernetes.is_empty()).count();
    let needed = [("github_token", "GitHub", github), ("kubernetes_token", "Kubernetes", kubernetes)];
    let finding = |(variable, system, count): (&str, &str, usize)| {
        if is_set(variable) {
            return Finding::ok(CHECK, format!("{variable} is set"));
        }
        Finding::warn(
            CHECK,
            format!(
                "{variable} is not set in this shell, but {count} of the services have a target in {system}"
            ),
            format!(
                "set {}=... before `homeostat up`, else its remedies there fail",
                environment_name(variable)
            ),
        )
    };
    needed.into_iter().filter(|(_, _, count)| *count > 0).map(finding).collect()
}

/// Others must not read the token.
fn token_file(arguments: &Arguments) -> Option<Finding> {
    let file = arguments.connection.folder().join("api-token");
    let mode = std::fs::metadata(&file).ok()?.permissions().mode() & 0o777;
    let name = file.display();
    Some(if mode & 0o077 == 0 {
        Finding::ok(CHECK, format!("{name} is closed to other users"))
    } else {
        Finding::wrong(
            CHECK,
            format!("{name} can be read by other users (mode {mode:o})"),
            format!("chmod 600 {name}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn sources_without_a_secret_are_named() {
        let check = |set: &[&str], level: Level, says: &str| {
            let finding = sources(&|name| set.contains(&name));
            assert_eq!(finding.level, level, "{set:?}");
            assert!(finding.text.contains(says), "{}", finding.text);
        };
        check(&[], Level::Warn, "every source");
        check(&["webhook_secret_github"], Level::Ok, "refused without one: gitlab");
        check(&["webhook_secret_github", "webhook_secret_gitlab"], Level::Ok, "github, gitlab");
    }

    #[test]
    fn lists_that_cannot_be_read_are_named_and_not_shown() {
        let check = |variable: &str, text: &str, expected: usize| {
            let found = unreadable(None, &|name| (name == variable).then(|| text.to_owned()));
            assert_eq!(found.len(), expected, "{variable}");
            assert!(found.iter().all(|finding| finding.level == Level::Wrong));
            assert!(
                found.iter().all(|finding| finding.text.contains(variable) && !finding.text.contains("s3"))
            );
        };
        check("webhook_secret_github", "s3,old", 0);
        check("webhook_secret_github", "[{\"secret\":\"s3\",\"not_after\":\"soon\"}]", 1);
        check("webhook_secret_gitlab", "[{\"secret\":\"s3\"", 1);
        check("body_key", "s3", 1);
        check("body_key", "", 0);
    }

    #[test]
    fn targets_need_their_tokens() {
        let toml = "[[service]]\nname = \"shop\"\n[service.github]\nrepository = \"acme/shop\"\n";
        let config = Config::from_toml(toml, "homeostat.toml").expect("a configuration");
        let check = |set: &[&str], expected: &[Level]| {
            let findings = targets(Some(&config), &|name| set.contains(&name));
            assert_eq!(findings.iter().map(|finding| finding.level).collect::<Vec<_>>(), expected, "{set:?}");
        };
        check(&[], &[Level::Warn]);
        check(&["github_token"], &[Level::Ok]);
        assert!(targets(None, &|_| false).is_empty());
    }
}
