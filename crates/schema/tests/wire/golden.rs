//! The JSON form, pinned by files: `tests/golden/1.0/<name>.json`.
//!
//! A change here breaks stored streams and the scripts of others. When it is meant, run with
//! `UPDATE_GOLDEN=1`, which alone writes the files, and read the difference.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::path::PathBuf;

use homeostat_schema::types::*;
use homeostat_schema::wire::{self, Wire};

use crate::examples;

#[derive(Default)]
struct Golden {
    seen: BTreeSet<String>,
    wrong: String,
}

impl Golden {
    fn folder() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(wire::VERSION)
    }

    /// The value is written as the file has it, and the file is read as the value.
    fn check<T: Wire + Debug + PartialEq>(&mut self, name: &str, value: &T) {
        let written = self.check_text(name, &Into::<T::Form>::into(value.clone()));
        match wire::decode::<T>(written.as_bytes()) {
            Ok(read) if read == *value => {}
            Ok(read) => writeln!(self.wrong, "{name}: read as {read:#?}").unwrap(),
            Err(error) => writeln!(self.wrong, "{name}: {error}").unwrap(),
        }
    }

    /// Returns what the file holds.
    fn check_text(&mut self, name: &str, form: &impl serde::Serialize) -> String {
        let file = format!("{name}.json");
        let path = Self::folder().join(&file);
        let actual = serde_json::to_string_pretty(form).unwrap() + "\n";
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(Self::folder()).unwrap();
            std::fs::write(&path, &actual).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if actual != expected {
            writeln!(self.wrong, "{file} differs:\n{}", difference(&expected, &actual)).unwrap();
        }
        assert!(self.seen.insert(file), "{name} is checked twice");
        expected
    }

    fn finish(self) {
        let files = std::fs::read_dir(Self::folder()).unwrap();
        let files: BTreeSet<String> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(files, self.seen, "files and checks differ");
        assert!(self.wrong.is_empty(), "{}", self.wrong);
    }
}

/// The lines that differ, by number.
fn difference(expected: &str, actual: &str) -> String {
    let (expected, actual): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    let mut text = String::new();
    for line in 0..expected.len().max(actual.len()) {
        let (old, new) = (expected.get(line), actual.get(line));
        if old != new {
            writeln!(text, "{:>4} - {}", line + 1, old.unwrap_or(&"")).unwrap();
            writeln!(text, "{:>4} + {}", line + 1, new.unwrap_or(&"")).unwrap();
        }
    }
    text
}

macro_rules! open_names {
    ($golden:ident, $($file:literal: $name:ident),*) => {$(
        let mut cases: Vec<$name> = $name::NAMES.iter().map(|name| $name::named(name)).collect();
        cases.push($name::Other("from-the-future".to_owned()));
        let text = $golden.check_text($file, &cases);
        assert_eq!(wire::decode_form::<Vec<$name>>(text.as_bytes()).unwrap(), cases);
    )*};
}

macro_rules! closed_names {
    ($golden:ident, $($file:literal: $name:ident),*) => {$(
        let text = $golden.check_text($file, &$name::ALL);
        assert_eq!(wire::decode_form::<Vec<$name>>(text.as_bytes()).unwrap(), $name::ALL);
    )*};
}

#[test]
fn the_json_form_is_the_one_of_the_golden_files() {
    let mut golden = Golden::default();
    open_names!(golden, "event-kinds": EventKind, "statuses": Status, "finding-kinds": FindingKind,
        "remedies": Remedy, "guards": Guard);
    closed_names!(golden, "verdicts": Verdict, "severities": Severity, "modes": Mode, "decisions": Decision,
        "attempt-results": AttemptResult, "outcome-kinds": OutcomeKind, "operator-verbs": OperatorVerb,
        "incident-states": IncidentState);
    golden.check("signal", &examples::signal());
    golden.check("trust", &examples::trust());
    golden.check("correlation", &examples::correlation());
    golden.check("correlation-bare", &examples::no_correlation());
    golden.check("event", &examples::event());
    golden.check("event-bare", &examples::bare_event());
    golden.check("evidence", &examples::evidence());
    golden.check("health", &examples::health());
    golden.check("release", &examples::release());
    golden.check("plot", &examples::plot());
    golden.check("finding", &examples::finding());
    golden.check("finding-bare", &examples::bare_finding());
    golden.check("assessment-request", &examples::assessment_request());
    golden.check("assessment", &examples::assessment());
    for (index, target) in examples::targets().iter().enumerate() {
        golden.check(&format!("target-{index}"), target);
    }
    golden.check("choice", &examples::choice());
    golden.check("plan", &examples::plan());
    golden.check("plan-bare", &examples::bare_plan());
    golden.check("attempt", &examples::attempt());
    golden.check("outcome", &examples::outcome());
    golden.check("sample", &examples::sample());
    golden.check("operator-word", &examples::operator_word());
    golden.check("incident", &examples::incident());
    golden.check("incident-bare", &examples::open_incident());
    golden.finish();
}
