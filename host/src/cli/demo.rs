//! `homeostat demo`: a story on real payloads, told as it happens.
//!
//! Purpose: show a stranger the whole loop in a minute: an own app in a temporary folder, GitHub's
//! published webhooks, stand-ins that keep state for GitHub, Kubernetes and Slack; a good
//! deployment, a bad one, a failing pipeline, and four canaries.
//! Does not: touch anything outside its folder, its cache and loopback; reach a real system.
//! Invariant: it ends with exit code 0 only when everything it told was seen to happen, and
//! nothing it started outlives it.

mod canaries;
mod narrator;
mod report;
mod scene;
mod story;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use homeostat_testkit::payloads::{PACKAGE, PayloadError, Payloads};

use super::CliError;
use narrator::{Audience, Narrator};
use report::Report;
use scene::Scene;

const EXAMPLES: &str = "\
Examples:
  homeostat demo                      the story, in a minute or two
  homeostat demo --keep               the same, and everything stays up to look around until Ctrl-C
  homeostat demo --payloads ./package GitHub's payloads from a folder, without npm
  homeostat demo --json               a summary for scripts on standard output

Exit codes: 0 the story went as told, 1 it did not, 2 the arguments or a file are wrong";

/// The whole story ends within this, however badly it goes.
const STORY_WITHIN: Duration = Duration::from_secs(300);

/// The arguments of `homeostat demo`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// GitHub's payloads from this folder (the unpacked npm package) instead of from npm
    #[arg(long, value_name = "FOLDER")]
    payloads: Option<PathBuf>,
    /// Keep everything running at the end, and the folder after that
    #[arg(long)]
    keep: bool,
    /// Print a summary as JSON instead of the story
    #[arg(long)]
    json: bool,
    /// The folder with spin.toml and dist/components
    #[arg(long, default_value = ".", value_name = "FOLDER")]
    root: PathBuf,
}

/// Sets the stage, tells the story, looks back. Everything it started ends with it, also when it
/// is interrupted.
///
/// # Errors
/// When something it needs is missing, or the story did not go as told.
pub async fn run(arguments: Arguments) -> Result<(), CliError> {
    let audience = if arguments.json { Audience::Script } else { Audience::Person };
    let mut narrator = Narrator::new(audience);
    let (mut scene, report) = tokio::select! {
        played = play(&arguments, &mut narrator) => played?,
        () = interrupted() => return Err(CliError::Failure(anyhow::anyhow!("interrupted"))),
    };
    report.show(&mut narrator, &scene, arguments.keep);
    if arguments.keep {
        interrupted().await;
    }
    scene.strike().await;
    if arguments.keep || !report.held() {
        scene.keep_folder();
    }
    report.verdict()
}

async fn play(arguments: &Arguments, narrator: &mut Narrator) -> Result<(Scene, Report), CliError> {
    let payloads = payloads(arguments, narrator).await?;
    let scene = Scene::set(&arguments.root, payloads, narrator).await?;
    let told = tokio::time::timeout(STORY_WITHIN, story::tell(&scene, narrator)).await;
    let report = told.unwrap_or_else(|_| Report::unfinished(STORY_WITHIN));
    Ok((scene, report))
}

async fn payloads(arguments: &Arguments, narrator: &mut Narrator) -> Result<Payloads, CliError> {
    narrator.heading("Setting the stage");
    if let Some(folder) = &arguments.payloads {
        let payloads = Payloads::from_dir(folder).map_err(|error| CliError::Usage(chain(&error)))?;
        narrator.step(&format!("GitHub's payloads from {}", folder.display()));
        return Ok(payloads);
    }
    let cache = cache_folder().join(PACKAGE.replace('/', "-"));
    let payloads = Payloads::from_npm(&cache).await.map_err(|error| no_payloads(&error))?;
    narrator
        .step(&format!("GitHub's own example payloads, {PACKAGE} from npm (kept in {})", cache.display()));
    Ok(payloads)
}

fn no_payloads(error: &PayloadError) -> CliError {
    CliError::Failure(anyhow::anyhow!(
        "GitHub's example payloads could not be had: {}\n\
         The demo takes them from the npm package {PACKAGE}. Ways out:\n  \
         install npm (Debian: apt-get install npm) and see that it reaches its registry, or\n  \
         unpack the package elsewhere (npm pack {PACKAGE}; tar -xzf octokit-*.tgz) and run\n  \
         homeostat demo --payloads ./package",
        chain(error)
    ))
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Where the operating system keeps what can be fetched again.
fn cache_folder() -> PathBuf {
    let own = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = own.or_else(home).unwrap_or_else(std::env::temp_dir);
    base.join("homeostat")
}

/// Ends with Ctrl-C or SIGTERM.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        },
        // No signals to wait for: the default action ends the process.
        _ => std::future::pending().await,
    }
}
