//! The `kiln` command.

mod advice;
mod checkpoints;
mod compare;
mod completions;
mod console;
mod cross_validate;
mod devices;
mod evaluate;
mod exit_code;
mod export;
mod import;
mod inspect;
mod interrupt;
mod man;
mod options;
mod plan;
mod predict;
mod processes;
mod report;
mod row_writer;
mod run_files;
mod serve;
mod summary;
mod train;
mod tune;
mod write_file;

use std::process::ExitCode;

use crate::console::Console;
use clap::{CommandFactory, Parser, Subcommand};

/// Train, check and ship multilayer-perceptron classifiers
#[derive(Debug, Parser)]
#[command(name = "kiln", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    console: Console,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(Box<train::Args>),
    Evaluate(evaluate::Args),
    Predict(predict::Args),
    Serve(serve::Args),
    Compare(compare::Args),
    CrossValidate(Box<cross_validate::Args>),
    Tune(Box<tune::Args>),
    Inspect(inspect::Args),
    Export(export::Args),
    Import(import::Args),
    Plan(plan::Args),
    /// List the backends compiled in and the devices they find
    Devices,
    Completions(completions::Args),
    Man(man::Args),
}

fn main() -> ExitCode {
    // clap itself ends the process with 2 where the usage is wrong.
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", advice::message(&error));
            ExitCode::from(exit_code::exit_code(&error))
        }
    }
}

fn run(Args { command, console }: Args) -> anyhow::Result<()> {
    match command {
        Command::Train(args) => train::run(*args, console),
        Command::Evaluate(args) => evaluate::run(args, console),
        Command::Predict(args) => predict::run(args, console),
        Command::Serve(args) => serve::run(args, console),
        Command::Compare(args) => compare::run(args, console),
        Command::CrossValidate(args) => cross_validate::run(*args, console),
        Command::Tune(args) => tune::run(*args, console),
        Command::Inspect(args) => inspect::run(args, console),
        Command::Export(args) => export::run(args, console),
        Command::Import(args) => import::run(args, console),
        Command::Plan(args) => plan::run(args, console),
        Command::Devices => devices::run(console),
        Command::Completions(args) => Ok(completions::run(&args, Args::command())?),
        Command::Man(args) => man::run(&args, Args::command()),
    }
}
