//! A test for every `*.toml` of this package's folder.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use homeostat_scenarios::{Log, every_call_killed_of, play, play_every_call_killed};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
    subscriber.init();
    let trials = files().into_iter().flat_map(|file| trials(&file, &log));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// One for an ordinary scenario; one for each component that is to be killed at every call.
fn trials(file: &Path, log: &Log) -> Vec<Trial> {
    let trial = |name: String, killed: Option<String>| {
        let (file, log) = (file.to_owned(), log.clone());
        Trial::test(name, move || run(&file, killed.as_deref(), &log))
    };
    // A file that cannot be read fails as a scenario.
    let killed = every_call_killed_of(file).unwrap_or_default();
    if killed.is_empty() {
        return vec![trial(name(file), None)];
    }
    killed.into_iter().map(|one| trial(format!("{}::{one}", name(file)), Some(one))).collect()
}

fn run(file: &Path, killed: Option<&str>, log: &Log) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wasm-cache");
    let played = runtime.block_on(async {
        match killed {
            None => play(file, &cache, log).await,
            Some(component) => {
                let calls = play_every_call_killed(file, component, &cache, log).await?;
                // Only said; a closed stderr is nobody's failure.
                let _ = writeln!(std::io::stderr(), "{component} was killed at each of {calls} calls");
                Ok(())
            }
        }
    });
    runtime.shutdown_background();
    played.map_err(|error| {
        if std::env::var_os("SCENARIO_LOG").is_some() {
            return format!("{error:#}\nthe log:\n{}", log.text()).into();
        }
        format!("{error:#}").into()
    })
}

/// Every scenario, in the order of their names.
fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(folder).expect("the package's own folder is there");
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_scenario =
        |path: &PathBuf| path.extension().is_some_and(|end| end == "toml") && name(path) != "Cargo";
    let mut files: Vec<PathBuf> = paths.filter(is_scenario).collect();
    files.sort();
    files
}

fn name(file: &Path) -> String {
    file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}
