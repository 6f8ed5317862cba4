//! Every task of this repository longer than ten lines of shell.
//!
//! What this does not do: know the domain; no task imports another package of this workspace.
//! Invariant: each task says what it does, and on failure what to do next.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "tasks talk to people")]

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod arrows;
mod bench;
mod ci;
mod components;
mod examples;
mod fuzz;
mod packages;
mod process;
mod progress;
mod serve;
mod setup;
mod tidy;
mod wasm;
mod workspace;

use components::{Profile, Selection};
use progress::Steps;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of this repository", after_help = EXAMPLES)]
struct Arguments {
    /// Steps the calling script has shown, so that the numbers go on
    #[arg(long, global = true, default_value_t = 0, hide = true)]
    after: usize,
    #[command(subcommand)]
    task: Task,
}

const EXAMPLES: &str = "Examples:
  cargo xtask components         build the components into dist/components/
  cargo xtask components --dev   the same, quicker to build and larger
  cargo xtask examples           build the example plug-ins into dist/plug-ins/
  cargo xtask toolchain          set up a compiler for wasm32-wasip2
  cargo xtask ci                 every check and test, as ./scripts/test does
  cargo xtask fuzz               every fuzz target for ten seconds
  cargo xtask fuzz forges --seconds 600
  cargo xtask bench --help       what can be measured, and how";

#[derive(Subcommand)]
enum Task {
    /// Build the wasm components into dist/components/
    Components {
        /// Build without link-time optimisation: quicker, for tests while writing
        #[arg(long)]
        dev: bool,
        /// Leave out the guests that only tests use
        #[arg(long)]
        app: bool,
    },
    /// Build the example plug-ins, which are not in Rust, into dist/plug-ins/; needs npm
    Examples,
    /// Find or set up a compiler for wasm32-wasip2
    Toolchain,
    /// Set up all that is missing on this machine to build, serve and test
    Setup,
    /// Set up what serving needs, and build the host and its components
    Build,
    /// Set up what testing needs, and run every check and test
    Ci,
    /// Measure the running app; `cargo xtask bench --help` says what and how
    #[command(disable_help_flag = true)]
    Bench {
        /// For the benches: ingest, latency, drain, footprint, mixed or all, and --json
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Fuzz the readers and the schemes of proof
    Fuzz {
        /// One of fuzz/fuzz_targets; all of them when left out
        target: Option<String>,
        /// Seconds of each
        #[arg(long, default_value_t = 10)]
        seconds: u32,
    },
    /// Check who imports whom
    Arrows,
    /// Check the house rules: short scripts, module headers, nothing half done
    Tidy,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments.task, arguments.after) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", explain(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and what it came from, a line each.
fn explain(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.join("\n  because: ")
}

fn run(task: &Task, after: usize) -> Result<()> {
    match task {
        Task::Components { dev, app } => {
            let profile = if *dev { Profile::Quick } else { Profile::Component };
            components::build(profile, if *app { Selection::App } else { Selection::All })
        }
        Task::Examples => examples::build(),
        Task::Toolchain => {
            println!("{}", wasm::set_up()?.describe());
            Ok(())
        }
        Task::Setup => setup::run(setup::TO_TEST, &mut Steps::after(after, setup::TO_TEST.len())),
        Task::Build => serve::build(after),
        Task::Ci => ci::run(after),
        Task::Bench { arguments } => bench::run(arguments),
        Task::Fuzz { target, seconds } => {
            setup::run(&[setup::Need::Fuzz], &mut Steps::after(after, 1))?;
            fuzz::run(target.as_deref(), *seconds)
        }
        Task::Arrows => arrows::check(),
        Task::Tidy => tidy::check(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn an_error_shows_what_it_came_from() {
        let error = anyhow::anyhow!("no network").context("no compiler");
        assert_eq!(explain(&error), "no compiler\n  because: no network");
    }
}
