//! The `homeostat` binary: puts the parts together and runs the command line.

use std::process::ExitCode;

use homeostat::{cli, compose};

fn main() -> ExitCode {
    cli::run(compose::composition())
}
