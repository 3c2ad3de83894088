//! The `kiln` command.

mod cli;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Train, check and ship multilayer-perceptron classifiers
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Devices(cli::devices::Args),
}

fn main() -> ExitCode {
    // clap itself ends the process with 2 where the usage is wrong.
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Devices(args) => cli::devices::run(&args),
    }
}
