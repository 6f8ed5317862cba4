//! A test for every `*.toml` of this package's folder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use homeostat_scenarios::{Log, play};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
    subscriber.init();
    let trials = files().into_iter().map(|file| {
        let log = log.clone();
        Trial::test(name(&file), move || run(&file, &log))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn run(file: &Path, log: &Log) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wasm-cache");
    let played = runtime.block_on(play(file, &cache, log));
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
