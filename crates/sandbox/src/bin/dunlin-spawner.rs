//! The spawner as a program of its own, for the tests and examples of this crate. The product's binary runs the same
//! entry point as a hidden subcommand.

use std::process::ExitCode;

fn main() -> ExitCode {
    sandbox::spawner::main()
}
