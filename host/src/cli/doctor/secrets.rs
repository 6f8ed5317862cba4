//! Secrets: which are there, by the names of their variables, and whether the token is kept safe.
//!
//! Does not: know more of what an app that runs was given than the names it tells; where it tells
//! none, this is what an app started from this shell would be given.
//! Invariant: no value is printed, not even its length.

use std::os::unix::fs::PermissionsExt;

use homeostat_schema::config::Config;
use homeostat_schema::secret::SecretList;
use homeostat_sources::sealed::BodyKey;
use homeostat_sources::{Instance, Source};

use super::Arguments;
use super::finding::Finding;
use super::known::Known;
use crate::variables::environment_name;

const CHECK: &str = "secrets";

/// Looks at all of them.
pub(super) fn look(arguments: &Arguments, known: &Known<'_>, findings: &mut Vec<Finding>) {
    let default = Config::default();
    let config = known.config().unwrap_or(&default);
    findings.push(sources(config, known.place(), &|name| known.is_set(name)));
    findings.extend(unreadable(config, &|name| known.value(name).map(str::to_owned)));
    findings.extend(targets(config, known.place(), &|name| known.is_set(name)));
    findings.extend(token_file(arguments));
}

/// Which sources would be refused.
fn sources(config: &Config, place: &str, is_set: &dyn Fn(&str) -> bool) -> Finding {
    let (known, refused): (Vec<Instance<'_>>, Vec<Instance<'_>>) =
        Instance::all(config).into_iter().partition(|instance| is_set(&instance.secret_variable()));
    let names = |all: &[Instance<'_>]| all.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ");
    if known.is_empty() {
        let first = environment_name(&Source::GITHUB.secret_variable());
        return Finding::warn(
            CHECK,
            format!("no webhook secret is set {place}: an app with these variables refuses every source"),
            format!("set {first}=... before `homeostat up`, or give it as --variable"),
        );
    }
    let rest = if refused.is_empty() {
        String::new()
    } else {
        format!("; refused without one: {}", names(&refused))
    };
    Finding::ok(CHECK, format!("webhook secrets are set {place} for {}{rest}", names(&known)))
}

/// Lists of secrets, and the key for kept deliveries, that say something else than was meant.
fn unreadable(config: &Config, value: &dyn Fn(&str) -> Option<String>) -> Vec<Finding> {
    let instances = Instance::all(config);
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
fn targets(config: &Config, place: &str, is_set: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let github = config.services.iter().filter(|service| service.github.is_some()).count();
    let kubernetes = config.services.iter().filter(|service| !service.kubernetes.is_empty()).count();
    let needed = [("github_token", "GitHub", github), ("kubernetes_token", "Kubernetes", kubernetes)];
    let finding = |(variable, system, count): (&str, &str, usize)| {
        if is_set(variable) {
            return Finding::ok(CHECK, format!("{variable} is set {place}"));
        }
        Finding::warn(
            CHECK,
            format!("{variable} is not set {place}, but {count} of the services have a target in {system}"),
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
            let finding = sources(&Config::default(), "in the app", &|name| set.contains(&name));
            assert_eq!(finding.level, level, "{set:?}");
            assert!(finding.text.contains(says), "{}", finding.text);
        };
        check(&[], Level::Warn, "every source");
        check(&["webhook_secret_github"], Level::Ok, "refused without one: gitlab");
        check(
            &["webhook_secret_github", "webhook_secret_gitlab"],
            Level::Ok,
            "in the app for github, gitlab",
        );
    }

    #[test]
    fn a_further_instance_has_a_secret_of_its_own() {
        let config = Config::from_toml("[[source]]\nname = \"github/team-a\"\n", "homeostat.toml");
        let config = config.expect("a configuration");
        let finding = sources(&config, "in the app", &|name| name == "webhook_secret_github_team_a");
        assert!(finding.text.contains("for github/team-a; refused without one: github, "), "{finding}");
    }

    #[test]
    fn lists_that_cannot_be_read_are_named_and_not_shown() {
        let check = |variable: &str, text: &str, expected: usize| {
            let found = unreadable(&Config::default(), &|name| (name == variable).then(|| text.to_owned()));
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
            let findings = targets(&config, "in this shell", &|name| set.contains(&name));
            assert_eq!(findings.iter().map(|finding| finding.level).collect::<Vec<_>>(), expected, "{set:?}");
        };
        check(&[], &[Level::Warn]);
        check(&["github_token"], &[Level::Ok]);
        assert!(targets(&Config::default(), "in this shell", &|_| false).is_empty());
    }
}
