//! What a component is told of its variables and environment, and which value wins.
//!
//! `spin:crates/expressions/src/lib.rs`, `crates/factor-variables/src/host.rs` and
//! `crates/runtime-config/src/variables.rs`. The texts of the errors are Spin's own and not asserted;
//! their kind is, and that they name the variable.

use anyhow::Result;
use homeostat_conformance::{Application, HTTP, Say};

#[tokio::test]
async fn a_component_sees_its_own_variables_and_environment_only() -> Result<()> {
    let app = Application::start(&Say {
        triggers: HTTP,
        application: "place = { default = \"here\" }\nhidden = { default = \"x\" }",
        variables: "greeting = \"hello {{ place }}\"",
        grants: "environment = { LANG = \"C\" }",
        ..Say::default()
    })
    .await?;
    assert_eq!(app.body("/variable", "greeting").await?, "ok \"hello here\"");
    // One of the application only, one of nobody, and names that no variable can have.
    let undefined = ["hidden", "nowhere"].map(|name| (name, "error Error::Undefined("));
    let invalid = ["Bad-Name", "1st", "a__b", "a_"].map(|name| (name, "error Error::InvalidName("));
    for (name, error) in undefined.into_iter().chain(invalid) {
        let seen = app.body("/variable", name).await?;
        assert!(seen.starts_with(error) && seen.contains(name), "{name}: {seen}");
    }
    assert_eq!(app.body("/environment", "LANG").await?, "ok \"C\"");
    assert_eq!(app.body("/environment", "PATH").await?, "error NotPresent");
    Ok(())
}

#[tokio::test]
async fn a_flag_beats_a_provider_beats_the_environment_beats_the_default() -> Result<()> {
    let names = ["a", "b", "c", "d"];
    let application = names.map(|name| format!("{name} = {{ default = \"default\" }}")).join("\n");
    let variables = names.map(|name| format!("{name} = \"{{{{ {name} }}}}\"")).join("\n");
    let app = Application::start(&Say {
        triggers: HTTP,
        application: &application,
        variables: &variables,
        flags: &["a=flag"],
        runtime_config: "[[variables_provider]]\ntype = \"static\"\nvalues = { a = \"static\", b = \"static\" }\n\
                         [[variables_provider]]\ntype = \"static\"\nvalues = { b = \"second\" }\n",
        given: &[("a", "environment"), ("b", "environment"), ("c", "environment")],
        ..Say::default()
    })
    .await?;
    for (name, expected) in [("a", "flag"), ("b", "static"), ("c", "environment"), ("d", "default")] {
        assert_eq!(app.body("/variable", name).await?, format!("ok {expected:?}"), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_required_variable_without_a_value_is_refused_at_start_and_served_with_one() -> Result<()> {
    let say = Say {
        triggers: HTTP,
        application: "needed_here = { required = true }",
        variables: "needed = \"{{ needed_here }}\"",
        ..Say::default()
    };
    let log = Application::refused(&say).await?;
    assert!(log.contains("needed_here"), "{log}");
    // Nothing is a value, too.
    for value in ["", "given"] {
        let app = Application::start(&Say { given: &[("needed_here", value)], ..say }).await?;
        assert_eq!(app.body("/variable", "needed").await?, format!("ok {value:?}"));
    }
    Ok(())
}

#[tokio::test]
async fn a_template_that_names_no_variable_of_the_application_is_refused_at_start() -> Result<()> {
    let log = Application::refused(&Say {
        triggers: HTTP,
        variables: "greeting = \"hello {{ nowhere }}\"",
        ..Say::default()
    })
    .await?;
    assert!(log.contains("nowhere"), "{log}");
    Ok(())
}
