//! Every task of this repository longer than ten lines of shell.
//!
//! What this does not do: know the domain; no task imports another package of this workspace.
//! Invariant: each task says what it does, and on failure what to do next.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "tasks talk to people")]

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod components;
mod packages;
mod process;
mod wasm;
mod workspace;

use components::{Profile, Selection};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of this repository", after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

const EXAMPLES: &str = "Examples:
  cargo xtask components         build the components into dist/components/
  cargo xtask components --dev   the same, quicker to build and larger
  cargo xtask toolchain          set up a compiler for wasm32-wasip2";

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
    /// Find or set up a compiler for wasm32-wasip2
    Toolchain,
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
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

fn run(task: Task) -> Result<()> {
    match task {
        Task::Components { dev, app } => {
            let profile = if dev { Profile::Quick } else { Profile::Component };
            components::build(profile, if app { Selection::App } else { Selection::All })
        }
        Task::Toolchain => {
            println!("{}", wasm::set_up()?.describe());
            Ok(())
        }
    }
}
