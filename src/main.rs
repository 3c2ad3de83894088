//! The `kiln` command.

mod cli;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cli::console::Console;

/// Train, check and ship multilayer-perceptron classifiers
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    console: Console,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(Box<cli::train::Args>),
    Evaluate(cli::evaluate::Args),
    Predict(cli::predict::Args),
    Serve(cli::serve::Args),
    Compare(cli::compare::Args),
    CrossValidate(Box<cli::cross_validate::Args>),
    Tune(Box<cli::tune::Args>),
    Inspect(cli::inspect::Args),
    Export(cli::export::Args),
    Import(cli::import::Args),
    Plan(cli::plan::Args),
    /// List the backends compiled in and the devices they find
    Devices,
    Completions(cli::completions::Args),
    Man(cli::man::Args),
}

fn main() -> ExitCode {
    // clap itself ends the process with 2 where the usage is wrong.
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(cli::exit_code(&error))
        }
    }
}

fn run(Args { command, console }: Args) -> anyhow::Result<()> {
    match command {
        Command::Train(args) => cli::train::run(*args, console),
        Command::Evaluate(args) => cli::evaluate::run(args, console),
        Command::Predict(args) => cli::predict::run(args, console),
        Command::Serve(args) => cli::serve::run(args, console),
        Command::Compare(args) => cli::compare::run(args, console),
        Command::CrossValidate(args) => cli::cross_validate::run(*args, console),
        Command::Tune(args) => cli::tune::run(*args, console),
        Command::Inspect(args) => cli::inspect::run(args, console),
        Command::Export(args) => cli::export::run(args, console),
        Command::Import(args) => cli::import::run(args, console),
        Command::Plan(args) => cli::plan::run(args, console),
        Command::Devices => cli::devices::run(console),
        Command::Completions(args) => Ok(cli::completions::run(&args)?),
        Command::Man(args) => cli::man::run(&args),
    }
}
