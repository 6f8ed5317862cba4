//! Which service and environment a sender means.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use homeostat_schema::config::Config;
use homeostat_schema::identity::{self, NAME_CHARS_MAX, safe_name};
use homeostat_schema::types::EventKind;
use proptest::prelude::*;

fn config() -> Config {
    let text = r#"
        [environments.stage]
        aliases = ["Pre-Prod", "qa"]

        [environments.eu]
        aliases = ["production-eu"]

        [[service]]
        name = "shop"
        match = [{ source = "github", name = "acme/shop" }, { name = "Shop-Prod" }]

        [[service]]
        name = "Checkout"
        match = [{ source = "gitlab", name = "acme/shop" }]
    "#;
    Config::from_toml(text, "test").unwrap()
}

#[test]
fn an_environment_is_known_by_its_name_an_alias_or_not_at_all() {
    let config = config();
    let check = |theirs: Option<&str>, expected: &str| {
        assert_eq!(identity::environment(&config, theirs), expected, "{theirs:?}");
    };
    for (theirs, expected) in [
        ("dev", "dev"),
        ("prod", "prod"),
        ("PROD", "prod"),
        (" prod\n", "prod"),
        ("production", "prod"),
        ("Production", "prod"),
        ("staging", "stage"),
        ("STAGING", "stage"),
        ("development", "dev"),
        ("pre-prod", "stage"),
        ("QA", "stage"),
        ("eu", "eu"),
        ("Production-EU", "eu"),
        ("unknown", "unknown"),
        ("", "unknown"),
        ("prod uction", "unknown"),
        ("produktion", "unknown"),
        ("preview-17", "unknown"),
        ("prod\0", "unknown"),
    ] {
        check(Some(theirs), expected);
    }
    check(None, "unknown");
}

#[test]
fn production_cannot_be_led_elsewhere_by_a_configuration_made_by_hand() {
    let mut config = Config::default();
    config.environments.get_mut("dev").unwrap().aliases = vec!["production".to_owned()];
    assert_eq!(identity::environment(&config, Some("production")), "prod");
}

#[test]
fn a_service_is_known_by_a_rule_by_its_name_or_not_at_all() {
    let config = config();
    let check = |source: &str, theirs: Option<&str>, expected: &str| {
        assert_eq!(identity::service(&config, source, theirs), expected, "{source} {theirs:?}");
    };
    check("github", Some("acme/shop"), "shop");
    check("GitHub", Some(" ACME/Shop "), "shop");
    check("gitlab", Some("acme/shop"), "Checkout");
    check("jenkins", Some("acme/shop"), "unassigned/jenkins/acme/shop");
    check("argocd", Some("shop-prod"), "shop");
    check("generic", Some("SHOP"), "shop");
    check("generic", Some("checkout"), "Checkout");
    check("generic", Some("shop2"), "unassigned/generic/shop2");
    check("github/team-a", Some("acme/shop"), "unassigned/github/team-a/acme/shop");
    check("generic", Some(""), "unassigned/generic/unnamed");
    check("generic", None, "unassigned/generic/unnamed");
    check("generic", Some("unassigned/github/x"), "unassigned/generic/unassigned/github/x");
}

#[test]
fn unassigned_services_are_told_from_known_ones() {
    let check =
        |service: &str, expected: bool| assert_eq!(identity::is_unassigned(service), expected, "{service}");
    check("unassigned/generic/x", true);
    check("shop", false);
    check("unassigned-things", false);
    check("shop/unassigned", false);
}

#[test]
fn a_name_becomes_safe_and_stays_apart_from_its_likes() {
    let check = |text: &str, expected: &str| assert_eq!(safe_name(text), expected, "{text:?}");
    check("acme/shop", "acme/shop");
    check(" Acme/Shop ", "acme/shop");
    check("v1.2.3_x-y~z", "v1.2.3_x-y~z");
    check("", "unnamed");
    check("  ", "unnamed");
    let lossy = ["a b", "a:b", "a\0b", "магазин", "магазик", "..", "a/../b", "a//b", "/a", "a/", "a\nb"];
    let mut seen = std::collections::BTreeSet::from(["a-b".to_owned(), "a/b".to_owned(), "a".to_owned()]);
    for text in lossy {
        assert!(seen.insert(safe_name(text)), "{text:?} is mistaken for another");
    }
    let long = "x".repeat(NAME_CHARS_MAX);
    assert_eq!(safe_name(&long), long);
    assert_ne!(safe_name(&format!("{long}a")), safe_name(&format!("{long}b")));
}

#[test]
fn a_run_without_an_environment_counts_to_its_service_s_pipeline() {
    let mut config = config();
    config.services[0].pipeline_env = Some("stage".to_owned());
    let shop = config.services[0].name.clone();
    let check = |kind: EventKind, service: &str, theirs: Option<&str>, expected: &str| {
        let found = identity::environment_of(&config, &kind, service, theirs);
        assert_eq!(found, expected, "{kind:?} {service} {theirs:?}");
    };
    check(EventKind::Run, &shop, None, "stage");
    check(EventKind::Job, &shop, Some(" "), "stage");
    check(EventKind::Run, &shop, Some("production"), "prod");
    check(EventKind::Run, "unassigned/github/x", None, "unknown");
    check(EventKind::Deployment, &shop, None, "unknown");
}

#[test]
fn a_commit_is_shown_short_and_a_version_whole() {
    let check = |name, expected| assert_eq!(identity::release_shown(name), expected);
    check("600d1dea0b0b5f2f6e8b3c1d9a7e4f5061728394", "600d1de");
    check("v1.2.3", "v1.2.3");
    check("forty-characters-that-are-no-hexadecimal", "forty-characters-that-are-no-hexadecimal");
}

proptest! {
    #[test]
    fn every_name_becomes_safe(text in any::<String>(), source in any::<String>()) {
        let config = config();
        for name in [safe_name(&text), identity::service(&config, &source, Some(&text)), identity::environment(&config, Some(&text))] {
            prop_assert!(!name.is_empty() && name.len() <= 2 * NAME_CHARS_MAX + 12);
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./~".contains(&byte)), "{name:?}");
            prop_assert!(name.split('/').all(|segment| !segment.is_empty() && segment != "." && segment != ".."), "{name:?}");
        }
        prop_assert!(safe_name(&text).len() <= NAME_CHARS_MAX);
    }

    #[test]
    fn making_a_name_safe_twice_changes_nothing(text in any::<String>()) {
        let once = safe_name(&text);
        prop_assert_eq!(safe_name(&once), once);
    }

    #[test]
    fn an_environment_is_always_one_that_is_configured(text in "\\PC{0,12}|production|staging|Eu|QA") {
        let config = config();
        prop_assert!(config.environments.contains_key(&identity::environment(&config, Some(&text))));
    }
}
