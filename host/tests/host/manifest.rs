//! What the manifest reader takes, and what it refuses at which line.

use homeostat::manifest::Manifest;

#[test]
fn our_own_manifest_is_read() -> Result<(), Box<dyn std::error::Error>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../spin.toml");
    let manifest = Manifest::parse("spin.toml", &std::fs::read_to_string(path)?)?;
    assert_eq!(manifest.name, "homeostat");
    for component in
        ["api", "coordinator", "detector", "healer", "policy-updater", "webhook-ingest", "webhook-plugin"]
    {
        assert!(manifest.components.contains_key(component), "{component}");
    }
    assert!(manifest.http.iter().any(|trigger| trigger.route.value == "/webhooks/..."));
    assert!(manifest.redis.iter().any(|trigger| trigger.component == "detector"));
    let secret = |name| manifest.variables.get(name).is_some_and(|variable| variable.secret);
    assert!(secret("api_token") && !secret("redis_url"));
    Ok(())
}

/// A good manifest; `{x}` marks places where tests put something else.
fn manifest(top: &str, trigger: &str, component: &str) -> String {
    format!(
        "spin_manifest_version = 2\n\
         {top}\n\
         [application]\n\
         name = \"a\"\n\
         [variables]\n\
         host = {{ default = \"http://h\" }}\n\
         [[trigger.http]]\n\
         {trigger}\n\
         [component.c]\n\
         {component}\n"
    )
}

const TRIGGER: &str = "route = \"/...\"\ncomponent = \"c\"";
const COMPONENT: &str = "source = \"c.wasm\"";

fn check(text: &str, line: usize, says: &str) {
    match Manifest::parse("spin.toml", text) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(error) => {
            assert!(error.message.contains(says), "{error}");
            assert_eq!((error.file.as_str(), error.line), ("spin.toml", line), "{error}");
        }
    }
}

#[test]
fn what_spin_has_and_this_host_has_not_is_refused_by_name_and_line() {
    let trigger = |extra: &str| manifest("", &format!("{TRIGGER}\n{extra}"), COMPONENT);
    let component = |extra: &str| manifest("", TRIGGER, &format!("{COMPONENT}\n{extra}"));
    check(&component("files = [\"x\"]"), 12, "`files` in [component.c] is not supported");
    check(&component("sqlite_databases = [\"default\"]"), 12, "`sqlite_databases`");
    check(&component("ai_models = [\"m\"]"), 12, "`ai_models`");
    check(&component("[component.c.dependencies]\n\"a:b/c@1.0.0\" = \"1\""), 13, "downloads nothing");
    check(&component("[component.c.dependencies]\n\"a:b\" = { path = \"p.wasm\" }"), 13, "`a:b` is not");
    let remote = "[component.c.dependencies]\n\"a:b/c@1.0.0\" = { path = \"p\", url = \"u\" }";
    check(&component(remote), 13, "`url`");
    check(&component("[component.c.tool.homeostat]\ncpu_ms_max = 0"), 13, "`cpu_ms_max` of 0");
    check(&component("[component.c.tool.homeostat]\nfuel = 1"), 13, "unknown field `fuel`");
    check(&component("[component.c.profile.debug]\nsource = \"x\""), 12, "`profile`");
    check(&trigger("static_response = { status_code = 200 }"), 10, "`static_response`");
    check(&trigger("executor = { type = \"wagi\" }"), 10, "executor `wagi`");
    check(&trigger("components = { a = \"b\" }"), 10, "`components`");
    check(&manifest("", "route = { private = true }\ncomponent = \"c\"", COMPONENT), 8, "private routes");
    check(&manifest("", "route = \"/a\"\ncomponent = { source = \"x\" }", COMPONENT), 9, "inline components");
    check(&manifest("", TRIGGER, "source = { url = \"u\", digest = \"d\" }"), 11, "only a path");
    check(
        &format!("{}[[trigger.sqs]]\nqueue = \"q\"\n", manifest("", TRIGGER, COMPONENT)),
        12,
        "unknown field `sqs`",
    );
}

#[test]
fn mistakes_are_refused_with_what_is_expected() {
    let component = |extra: &str| manifest("", TRIGGER, &format!("{COMPONENT}\n{extra}"));
    check("spin_manifest_version = 1", 1, "version 2 only");
    check("", 1, "lacks the field `spin_manifest_version`");
    check("a = ", 1, "not valid TOML");
    check(&manifest("unknown = 1", TRIGGER, COMPONENT), 2, "unknown field `unknown` in the top level");
    check(&manifest("", "component = \"c\"", COMPONENT), 7, "lacks the field `route`");
    check(
        &manifest("", "route = \"/a\"\ncomponent = \"d\"", COMPONENT),
        9,
        "no component `d`; the manifest has c",
    );
    check(&manifest("", TRIGGER, "description = \"no source\""), 10, "lacks the field `source`");
    check(&component("soruce = \"x\""), 12, "unknown field `soruce`");
    check(
        &component("allowed_outbound_hosts = [\n\"{{ host }}\",\n\"{{ hots }}\"]"),
        14,
        "no variable `hots`",
    );
    check(&component("allowed_outbound_hosts = [\"{{ host\"]"), 12, "without `}}`");
    check(&component("allowed_outbound_hosts = \"x\""), 12, "must be a list");
    check(&component("key_value_stores = [1]"), 12, "must be a string");
    check(&component("[component.c.variables]\nBad = \"x\""), 13, "not a variable name");
    check(&component("[component.c_d]\nsource = \"x\""), 12, "not a component id");
    check(&component("[variables.x]\nrequired = false"), 12, "either `default` or `required");
}

#[test]
fn redis_triggers_take_their_address_from_the_application() {
    let text = |address: &str| {
        format!(
            "spin_manifest_version = 2\n[application]\nname = \"a\"\n{address}\n\
             [[trigger.redis]]\nchannel = \"x\"\ncomponent = \"c\"\n[component.c]\nsource = \"c.wasm\"\n"
        )
    };
    check(&text(""), 5, "no `address`");
    let good = Manifest::parse("spin.toml", &text("[application.trigger.redis]\naddress = \"redis://h\""));
    assert!(good.is_ok_and(|manifest| manifest.redis.len() == 1));
}

#[test]
fn metadata_of_other_tools_is_accepted() {
    let component = format!("{COMPONENT}\n[component.c.build]\ncommand = \"make\"\nwatch = [\"src\"]");
    assert!(Manifest::parse("spin.toml", &manifest("", TRIGGER, &component)).is_ok());
}
