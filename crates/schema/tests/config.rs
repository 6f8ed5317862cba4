//! The configuration as an operator writes it, and what an operator is told.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use homeostat_schema::config::{CONFIG_BYTES_MAX, Config, Environment, Mode};

const FILE: &str = "homeostat.toml";

fn read(text: &str) -> Config {
    Config::from_toml(text, FILE).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The whole message, as shown.
fn refused(text: &str, expected: &str) {
    match Config::from_toml(text, FILE) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(error) => assert_eq!(error.to_string().replace('\n', " ").trim(), expected, "\n{text}"),
    }
}

#[test]
fn an_empty_file_gives_the_defaults_and_acts_nowhere() {
    let config = read("");
    assert_eq!(config, Config::default());
    let limits = |name: &str| (config.environment(name).score_min, config.environment(name).timeout_s);
    assert_eq!(limits("dev"), (30.0, 30));
    assert_eq!(limits("stage"), (40.0, 45));
    assert_eq!(limits("prod"), (50.0, 60));
    assert_eq!(limits("unknown"), (50.0, 60));
    for env in ["dev", "stage", "prod", "unknown", "production", "anything"] {
        assert_eq!(config.mode(env, "shop"), Mode::Suggest, "{env}");
    }
}

#[test]
fn a_partly_written_environment_keeps_the_defaults_of_its_name() {
    let config = read("[environments.stage]\nmode = \"act\"\n[environments.eu]\nattempts_max = 1\n");
    let stage = Environment { mode: Mode::Act, ..Environment::named("stage") };
    assert_eq!(config.environment("stage"), &stage);
    assert_eq!((stage.score_min, stage.timeout_s), (40.0, 45));
    assert_eq!(config.environment("eu"), &Environment { attempts_max: 1, ..Environment::named("eu") });
    assert_eq!(config.environment("dev"), &Environment::named("dev"));
}

#[test]
fn an_environment_nobody_named_has_the_settings_of_unknown() {
    let config = read("[environments.unknown]\nattempts_max = 0\n");
    assert_eq!(config.environment("nowhere").attempts_max, 0);
    let by_hand = Config { environments: [].into(), ..Config::default() };
    assert_eq!(by_hand.environment("nowhere"), &Environment::named("unknown"));
}

#[test]
fn a_service_can_be_stricter_or_looser_than_its_environment() {
    let config = read(
        "[environments.stage]\nmode = \"act\"\n\
         [[service]]\nname = \"shop\"\nmode = { stage = \"observe\", prod = \"approve\" }\n",
    );
    assert_eq!(config.mode("stage", "shop"), Mode::Observe);
    assert_eq!(config.mode("stage", "Shop"), Mode::Observe);
    assert_eq!(config.mode("stage", "other"), Mode::Act);
    assert_eq!(config.mode("prod", "shop"), Mode::Approve);
    assert_eq!(config.mode("prod", "other"), Mode::Suggest);
}

#[test]
fn an_objective_is_the_services_own_or_the_environments_or_none() {
    let config = read(
        "[environments.prod]\nobjective = 99.9\nobjective_days = 28\n\
         [[service]]\nname = \"shop\"\nobjective = { prod = 99.99, stage = 95 }\n\
         [[service]]\nname = \"cart\"\nobjective_days = { prod = 7 }\n",
    );
    let check = |env: &str, service: &str, expected: Option<(f64, u64)>| {
        let objective = config.objective(env, service).map(|objective| (objective.percent, objective.days));
        assert_eq!(objective, expected, "{env} {service}");
    };
    check("prod", "shop", Some((99.99, 28)));
    check("prod", "cart", Some((99.9, 7)));
    check("prod", "other", Some((99.9, 28)));
    check("stage", "shop", Some((95.0, 30)));
    check("stage", "cart", None);
    assert_eq!(Config::default().objective("prod", "shop"), None);
}

#[test]
fn an_objective_that_cannot_be_is_named_with_its_place() {
    let of = |line: &str, expected: &str| {
        let text = format!("[environments.prod]\n{line}\n");
        refused(&text, &format!("homeostat.toml:2:1: `environments.prod.{expected}"));
    };
    of("objective = 0.999", "objective`: 0.999 is not within 50 to 99.9999 per cent, such as 99.9");
    of("objective = 100.0", "objective`: 100 is not within 50 to 99.9999 per cent, such as 99.9");
    of("objective = nan", "objective`: NaN is not within 50 to 99.9999 per cent, such as 99.9");
    of("objective_days = 2", "objective_days`: 2 is not within 3 to 366");
    of(
        "objective = 80.0",
        "objective`: 80 over 30 days allows so many errors that six hours in which every request fails would \
         not be found; take a higher objective or fewer days",
    );
    let of = |line: &str, expected: &str| {
        let text = format!("[[service]]\nname = \"shop\"\n{line}\n");
        refused(&text, &format!("homeostat.toml:3:{expected}"));
    };
    of(
        "objective = { prod = 120.0 }",
        "15: `service[0].objective.prod`: 120 is not within 50 to 99.9999 per cent, such as 99.9",
    );
    of(
        "objective = { production = 99.0 }",
        "15: `service[0].objective.production`: no environment is named `production`; there are `dev`, `prod`, \
         `stage`, `unknown`",
    );
    of(
        "objective_days = { prod = 28 }",
        "20: `service[0].objective_days.prod`: there is no `objective` that these could be the days of",
    );
}

#[test]
fn what_no_rule_knows_never_acts_even_in_a_configuration_made_by_hand() {
    let mut config = Config::default();
    config
        .environments
        .insert("unknown".to_owned(), Environment { mode: Mode::Act, ..Environment::default() });
    assert_eq!(config.mode("unknown", "shop"), Mode::Suggest);
    assert_eq!(config.mode("nowhere", "shop"), Mode::Suggest);
    assert!(config.validate().is_err());
}

#[test]
fn a_window_is_open_from_its_beginning_until_before_its_end() {
    let config = read(
        "[[service]]\nname = \"shop\"\n\
         [[maintenance]]\nenv = \"prod\"\nservice = \"shop\"\nreason = \"db\"\n\
         from = \"1970-01-01T00:00:10Z\"\nuntil = \"1970-01-01T00:00:20Z\"\n\
         [[maintenance]]\nfrom = \"1970-01-01T01:00:30+01:00\"\nuntil = \"1970-01-01T00:00:40Z\"\n",
    );
    let check = |env: &str, service: &str, now_ms: u64, expected: Option<&str>| {
        let reason = config.window_at(env, service, now_ms).map(|window| window.reason.as_str());
        assert_eq!(reason, expected, "{env} {service} {now_ms}");
    };
    check("prod", "shop", 9_999, None);
    check("prod", "shop", 10_000, Some("db"));
    check("prod", "SHOP", 19_999, Some("db"));
    check("prod", "shop", 20_000, None);
    check("stage", "shop", 10_000, None);
    check("prod", "cart", 10_000, None);
    check("stage", "cart", 30_000, Some(""));
    check("stage", "cart", 40_000, None);
}

#[test]
fn a_window_that_cannot_be_read_stays_open() {
    let mut config =
        read("[[maintenance]]\nfrom = \"1970-01-01T00:00:00Z\"\nuntil = \"1970-01-01T00:00:01Z\"\n");
    for window in &mut config.windows {
        window.until = "some day".to_owned();
    }
    assert!(config.window_at("prod", "shop", u64::MAX).is_some());
}

#[test]
fn a_misspelt_field_is_named_with_its_place_and_the_name_meant() {
    refused(
        "kill_swich = true\n",
        "homeostat.toml:1:1: unknown field `kill_swich`, expected one of `kill_switch`, `environments`, \
         `service`, `source`, `maintenance`, `learning`, `retention`, `sink`, `reconcile`, `pull`, `disaster`; did you mean `kill_switch`?",
    );
    refused(
        "# a comment\n[environments.stage]\n  timeout = 3\n",
        "homeostat.toml:3:3: unknown field `timeout`, expected one of `aliases`, `mode`, `score_min`, \
         `timeout_s`, `latency_ms_max`, `error_rate_max`, `objective`, `objective_days`, `false_rollback_max`, \
         `error_margin`, `latency_margin`, `seasonal`, `cooldown_s`, `attempts_max`, `attempts_window_s`, `dry_run`; did you mean `timeout_s`?",
    );
    refused(
        "[environments.stage]\nmode = \"Act\"\n",
        "homeostat.toml:2:8: unknown variant `Act`, expected one of `observe`, `suggest`, `approve`, `act`; \
         did you mean `act`?",
    );
}

#[test]
fn a_value_that_cannot_be_is_named_with_its_place() {
    refused(
        "[environments.stage]\nscore_min = 101\n",
        "homeostat.toml:2:1: `environments.stage.score_min`: 101 is not within 0 to 100",
    );
    refused(
        "[environments.stage]\nscore_min = nan\n",
        "homeostat.toml:2:1: `environments.stage.score_min`: NaN is not within 0 to 100",
    );
    refused(
        "[environments.stage]\nlatency_ms_max = 0.0\n",
        "homeostat.toml:2:1: `environments.stage.latency_ms_max`: 0 is not above 0 and at most 86400000",
    );
    refused(
        "[environments.stage]\ntimeout_s = 0\n",
        "homeostat.toml:2:1: `environments.stage.timeout_s`: 0 is not within 1 to 86400",
    );
    refused(
        "[environments.unknown]\nmode = \"act\"\n",
        "homeostat.toml:2:1: `environments.unknown.mode`: `act` cannot be set for what no rule knows; name the \
         environment first",
    );
    refused(
        "[environments.production]\nmode = \"act\"\n",
        "homeostat.toml:1:15: `environments.production`: is another name of `prod`; write [environments.prod]",
    );
    refused(
        "[learning]\nlearning_rate = 0.0\n",
        "homeostat.toml:2:1: `learning.learning_rate`: 0 is not above 0 and at most 1",
    );
    refused(
        "[[maintenance]]\nfrom = \"2025-01-02T00:00:00Z\"\nuntil = \"2025-01-01T00:00:00Z\"\n",
        "homeostat.toml:3:1: `maintenance[0].until`: must be after `from`, 2025-01-02T00:00:00Z",
    );
    refused(
        "[[maintenance]]\nfrom = \"monday\"\nuntil = \"2025-01-01T00:00:00Z\"\n",
        "homeostat.toml:2:1: `maintenance[0].from`: not an RFC 3339 time with an offset, such as \
         2025-11-27T12:00:00Z",
    );
}

#[test]
fn types_and_syntax_are_named_with_their_place() {
    refused(
        "[environments.dev]\ntimeout_s = \"30\"\n",
        "homeostat.toml:2:13: invalid type: string \"30\", expected u64",
    );
    refused("[[service]]\nmatch = []\n", "homeostat.toml:1:1: missing field `name`");
    let error = Config::from_toml("a = \n", FILE).unwrap_err().to_string();
    assert!(error.starts_with("homeostat.toml:1:"), "{error}");
}

#[test]
fn rules_that_contradict_each_other_are_refused() {
    let place = |text: &str, expected: &str| {
        let error = Config::from_toml(text, FILE).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}\n{text}");
    };
    place(
        "[environments.dev]\naliases = [\"Production\"]\n",
        ":2:12: `environments.dev.aliases[0]`: `Production` already means `prod`",
    );
    place("[environments.dev]\naliases = [\"stage\"]\n", "`stage` already means `stage`");
    place(
        "[environments.dev]\naliases = [\"x\"]\n[environments.prod]\naliases = [\"X\"]\n",
        "`X` already means `dev`",
    );
    place("[environments.Stage]\n", "lower-case letters");
    place("[environments.\"a b\"]\n", "lower-case letters");
    place(
        "[[service]]\nname = \"a\"\n[[service]]\nname = \"A\"\n",
        ":4:1: `service[1].name`: `A` is already the name of service[0]",
    );
    let two = |first: &str, second: &str| {
        format!(
            "[[service]]\nname = \"a\"\nmatch = [{first}]\n[[service]]\nname = \"b\"\nmatch = [{second}]\n"
        )
    };
    place(
        &two("{ name = \"x\" }", "{ source = \"github\", name = \"X\" }"),
        "`service[1].match[0].name`: `X` already leads to service[0]",
    );
    place(
        &two("{ source = \"github\", name = \"x\" }", "{ source = \"GitHub\", name = \"x\" }"),
        "already leads to service[0]",
    );
    place(&two("{ name = \"b\" }", ""), "`service[0].match[0].name`: `b` already leads to service[1]");
    place("[[service]]\nname = \"unassigned/github/x\"\n", "does not begin with `unassigned/`");
    place("[[service]]\nname = \"a/../b\"\n", "`service[0].name`");
    place("[[service]]\nname = \"a\"\nmode = { unknown = \"act\" }\n", "what no rule knows");
    place(
        "[[service]]\nname = \"a\"\nmode = { production = \"act\" }\n",
        "no environment is named `production`; there are `dev`, `prod`, `stage`, `unknown`",
    );
    place("[[service]]\nname = \"a\"\ngithub = { repository = \"a/../b\" }\n", "`owner/name`");
    place("[[service]]\nname = \"a\"\ngithub = { repository = \"../b\" }\n", "`owner/name`");
    place(
        "[[service]]\nname = \"a\"\n[service.kubernetes.prod]\nnamespace = \"x\"\ndeployment = \"a/b\"\n",
        ":5:1: `service[0].kubernetes.prod.deployment`",
    );
    place(
        "[[maintenance]]\nservice = \"a\"\nfrom = \"2025-01-01T00:00:00Z\"\nuntil = \"2025-01-02T00:00:00Z\"\n",
        "no [[service]] is named `a`",
    );
}

#[test]
fn rules_that_only_look_alike_are_accepted() {
    read(
        "[[service]]\nname = \"a\"\nmatch = [{ source = \"github\", name = \"x\" }, { name = \"a\" }]\n\
         [[service]]\nname = \"b\"\nmatch = [{ source = \"gitlab\", name = \"x\" }]\n\
         [[service]]\nname = \"c\"\nmatch = [{ name = \"x\" }]\n",
    );
}

#[test]
fn a_file_over_the_bound_is_refused_before_it_is_read() {
    let text = "#".repeat(CONFIG_BYTES_MAX + 1);
    refused(&text, "homeostat.toml: 1048577 bytes, but a configuration has at most 1048576");
    read(&"#".repeat(CONFIG_BYTES_MAX));
}

#[test]
fn the_json_form_has_the_same_fields_and_the_same_checks() {
    let config = read(
        "[environments.stage]\nmode = \"act\"\n[[service]]\nname = \"shop\"\nmatch = [{ name = \"x\" }]\n",
    );
    let json = serde_json::to_vec(&config).unwrap();
    assert_eq!(Config::from_json(&json, "body").unwrap(), config);
    assert_eq!(Config::from_json(b"{}", "body").unwrap(), Config::default());
    let message = |json: &str| Config::from_json(json.as_bytes(), "body").unwrap_err().to_string();
    assert_eq!(
        message("{\n \"kill_swich\": 1}"),
        "body:2:13: unknown field `kill_swich`, expected one of `kill_switch`, \
         `environments`, `service`, `source`, `maintenance`, `learning`, `retention`, `sink`, `reconcile`, `pull`, `disaster`; did you mean `kill_switch`?"
    );
    assert_eq!(
        message("{\"environments\":{\"dev\":{\"score_min\":-1}}}"),
        "body: `environments.dev.score_min`: -1 is not within 0 to 100"
    );
    assert!(message(&"[".repeat(100_000)).contains("nest too deep"));
    assert!(message("\u{0}").starts_with("body:1:1"));
}

#[test]
fn deep_nesting_is_refused_and_does_not_end_the_process() {
    for text in [
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{a=".repeat(100_000)),
        format!("{}x = 1", "a.".repeat(100_000)),
    ] {
        assert!(Config::from_toml(&text, FILE).is_err());
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in "(?s)(\\[\\[?(service|maintenance|environments.dev|learning)\\]\\]?\n)?(mode|name|from|match|\\PC{0,3}) ?= ?[\\[{]?.{0,20}") {
        let answer = Config::from_toml(&text, FILE).map_err(|error| error.to_string());
        proptest::prop_assert!(answer.is_ok() || answer.is_err_and(|error| error.starts_with(FILE)));
    }
}

const EXAMPLE: &str = include_str!("../../../homeostat.example.toml");

#[test]
fn the_example_is_accepted_and_means_what_it_says() {
    let config = read(EXAMPLE);
    assert_eq!(config.mode("dev", "shop"), Mode::Act);
    assert_eq!(config.mode("stage", "shop"), Mode::Act);
    assert_eq!(config.mode("prod", "shop"), Mode::Approve);
    assert_eq!(config.mode("unknown", "shop"), Mode::Observe);
    assert_eq!(config.environment("stage").score_min, 40.0);
    assert!(config.service("checkout").is_some());
    let midnight = homeostat_schema::time::parse("2026-01-11T00:00:00Z").unwrap();
    assert!(config.window_at("prod", "shop", midnight).is_some());
}

#[test]
fn the_example_shows_every_field() {
    let written: toml::Table = EXAMPLE.parse().unwrap();
    let whole = toml::Table::try_from(read(EXAMPLE)).unwrap();
    let mut shown = std::collections::BTreeSet::new();
    names(&toml::Value::Table(written), &mut shown);
    let mut all = std::collections::BTreeSet::new();
    names(&toml::Value::Table(whole), &mut all);
    assert_eq!(all.difference(&shown).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// The names of all fields, at every depth.
fn names(value: &toml::Value, found: &mut std::collections::BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => table.iter().for_each(|(name, value)| {
            found.insert(name.clone());
            names(value, found);
        }),
        toml::Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        _ => {}
    }
}

#[test]
fn a_run_costs_more_than_nothing_and_no_more_than_a_person() {
    let service = |cost: &str| format!("[[service]]\nname = \"shop\"\nrerun_cost = {cost}\n");
    assert_eq!(read("[[service]]\nname = \"shop\"\n").services[0].rerun_cost, None);
    for cost in [0.001, 0.05, 1.0] {
        assert_eq!(read(&service(&cost.to_string())).services[0].rerun_cost, Some(cost));
    }
    let check = |cost: &str, expected: &str| {
        let error = Config::from_toml(&service(cost), FILE).unwrap_err().to_string();
        assert!(error.starts_with("homeostat.toml:3:") && error.contains(expected), "{error}");
    };
    check("0", "0.001");
    check("-0.05", "0.001");
    check("1.5", "0.001");
    check("nan", "0.001");
    check("\"cheap\"", "invalid type");
}

const SERVICE: &str = "[[service]]\nname = \"shop\"\n";

fn pull(more: &str) -> String {
    format!(
        "{SERVICE}[[pull]]\nid = \"shop\"\nservice = \"shop\"\nenv = \"prod\"\nrequests = \"r\"\nerrors = \"e\"\n{more}"
    )
}

#[test]
fn a_pull_has_defaults() {
    let config = read(&pull(""));
    let pull = config.pull("shop").unwrap();
    assert_eq!((pull.every_s, pull.step_s), (15, 5));
    assert_eq!(
        (pull.arm_label.as_str(), pull.baseline.as_str(), pull.canary.as_str()),
        ("arm", "baseline", "canary")
    );
    assert_eq!((&pull.latency_ms, &pull.up), (&None, &None));
}

#[test]
fn a_pull_that_cannot_be_is_refused_with_its_field() {
    let check = |text: &str, field: &str| {
        let error = Config::from_toml(text, FILE).unwrap_err().to_string();
        assert!(error.contains(&format!("`pull[{field}`")), "{field}: {error}");
    };
    check(&pull("every_s = 4\n"), "0].every_s");
    check(&pull("step_s = 0\n"), "0].step_s");
    check(&pull("step_s = 1\nevery_s = 61\n"), "0].every_s");
    check(&pull("latency_ms = \" \"\n"), "0].latency_ms");
    check(&pull(&format!("up = \"{}\"\n", "x".repeat(2_049))), "0].up");
    check(&pull("queue = \"q\"\n"), "0].load");
    check(&pull("queue = \"q\"\nload = \"w\"\n"), "0].replicas");
    check(&pull("load = \"w\"\nreplicas = \"\"\n"), "0].replicas");
    check(&pull("arm_label = \"my-arm\"\n"), "0].arm_label");
    check(&pull("baseline = \"\"\n"), "0].baseline");
    check(&pull("baseline = \"canary\"\n"), "0].canary");
    check(&pull("").replace("\"prod\"", "\"nowhere\""), "0].env");
    check(&pull("").replace("service = \"shop\"", "service = \"Shop\""), "0].service");
    check(&pull("").replace("id = \"shop\"", "id = \"a/b\""), "0].id");
    let other = pull("").replace(SERVICE, "");
    check(&format!("{}{other}", pull("")), "1].id");
    check(&format!("{}{}", pull(""), other.replace("id = \"shop\"", "id = \"again\"")), "1].service");
    read(&format!(
        "{}{}",
        pull(""),
        other.replace("id = \"shop\"", "id = \"b\"").replace("\"prod\"", "\"dev\"")
    ));
}

#[test]
fn calls_lead_to_services_there_are() {
    let service = |calls: &str| {
        format!("[[service]]\nname = \"shop\"\ncalls = {calls}\n[[service]]\nname = \"billing\"\n")
    };
    assert_eq!(read(&service("[\"billing\"]")).services[0].calls, ["billing"]);
    let error = Config::from_toml(&service("[\"billing\", \"biling\"]"), FILE).unwrap_err().to_string();
    assert!(error.contains("`service[0].calls[1]`: no [[service]] is named `biling`"), "{error}");
}

#[test]
fn a_disaster_needs_what_it_is_known_by_and_what_is_to_be_done() {
    let disaster = |more: &str, trigger: &str| {
        format!(
            "[[service]]\nname = \"shop\"\n[[disaster]]\nname = \"fire\"\nplaybook = \"run\"\n\
             recovery_s = 600\ntrigger = [{trigger}]\n{more}\n"
        )
    };
    let good = "{ kind = \"blind\", services_min = 3 }, { kind = \"run-failed\", service = \"shop\" }";
    let read = read(&disaster("", good)).disasters.remove(0);
    assert_eq!((read.env.as_str(), read.window_s, read.calm_s), ("*", 600, 300));
    assert!(read.concerns("prod") && read.triggers[1].services_min == 1);
    let check = |more: &str, trigger: &str, expected: &str| {
        let error = Config::from_toml(&disaster(more, trigger), FILE).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("", "", "at least one is needed");
    check("", "{ kind = \"flood\" }", "no finding is of this kind; there are deployment-failed");
    check("", "{ kind = \"disaster\" }", "no finding is of this kind");
    check("", "{ kind = \"blind\", services_min = 17 }", "17 is not within 1 to 16");
    check("", "{ kind = \"blind\", service = \"shop\", services_min = 2 }", "2 is not within 1 to 1");
    check("", "{ kind = \"blind\", service = \"shpo\" }", "no [[service]] is named `shpo`");
    check("env = \"mars\"", good, "no environment is named `mars`");
    check("calm_s = 0", good, "0 is not within 1 to 86400");
    check("", &[good; 5].join(", "), "10 are given, but at most 8 are allowed");
    let changed = |from: &str, to: &str, expected: &str| {
        let error = Config::from_toml(&disaster("", good).replace(from, to), FILE).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    changed("\"fire\"", "\"\"", "a name has lower-case letters");
    changed("\"run\"", "\" \"", "what is to be done is expected");
    changed("recovery_s = 600", "recovery_s = 0", "0 is not within 1 to 86400");
    check("window_s = 100000", good, "100000 is not within");
    let twice = format!("{}{}", disaster("", good), disaster("", good).split_once("\"shop\"\n").unwrap().1);
    let error = Config::from_toml(&twice, FILE).unwrap_err().to_string();
    assert!(error.contains("`fire` is given twice"), "{error}");
}
