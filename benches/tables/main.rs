//! How good the presets are: the thirteen tables of the shared data, by commands only.
//!
//! For each table, each of its five folds and each seed: `kiln train` on the other folds, `kiln predict` on the
//! fold, and its scores beside those of other methods on the same fold. The run fails where a preset falls
//! behind what is promised of it. MNIST, as a table, has a flag of its own.
//!
//! `cargo bench -p kiln-cli --bench tables -- --help` lists the flags. The folder of the tables is `KILN_TABULAR_DIR`;
//! `KILN_BIN` is a binary to use in place of the one just built.

mod ablation;
mod baselines;
mod mnist;
mod realmlp;
mod report;
mod results;
mod run;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::ensure;
use clap::{Parser, ValueEnum};

use baselines::{Baselines, Table, read_json};
use results::Results;

const FOLDS: usize = 5;

/// Kiln's presets beside other methods on thirteen tables
#[derive(Parser)]
struct Args {
    /// Tables to take; without names, all
    tables: Vec<String>,
    /// What to measure
    #[arg(long, value_delimiter = ',', default_values = ["default", "best"])]
    presets: Vec<Preset>,
    /// Seeds 0 up to this one, which is not among them
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Measures what each piece of the default preset is worth in place of presets: without it, by the first seed
    #[arg(long)]
    ablation: bool,
    /// Times RealMLP beside the default preset, by a Python that has benches/tables/requirements.txt, on the first
    /// fold of each table, in place of all else
    #[arg(long, value_name = "PYTHON")]
    realmlp: Option<PathBuf>,
    /// MNIST as a table of pixels, by the presets, in place of all else; `KILN_DATA_DIR` is its folder
    #[arg(long)]
    mnist: bool,
    /// Keeps what was measured in this file, and measures nothing twice: a run that was cut off goes on
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Cargo adds it
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Preset {
    Fast,
    Default,
    Best,
}

impl Preset {
    fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Default => "default",
            Self::Best => "best",
        }
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    if args.mnist {
        let holds = mnist::run(&args.presets)?;
        return Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let folder = env::var_os("KILN_TABULAR_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/tabular"),
        PathBuf::from,
    );
    if !folder.is_dir() {
        println!("skipped: no tables in {} (KILN_TABULAR_DIR names the folder)", folder.display());
        return Ok(ExitCode::SUCCESS);
    }
    let mut tables: Vec<Table> = read_json(&folder.join("index.json"))?;
    let baselines = Baselines::read(&folder.join("baselines.json"))?;
    for name in &args.tables {
        let known = tables.iter().any(|table| table.name == *name);
        ensure!(known, "no table {name:?} in index.json");
    }
    tables.retain(|table| args.tables.is_empty() || args.tables.contains(&table.name));

    let mut results = Results::open(args.results.as_deref())?;
    if let Some(python) = &args.realmlp {
        realmlp::run(python, &folder, &tables)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.ablation {
        ablation::run(&folder, &tables, &mut results)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut holds = true;
    for preset in args.presets {
        for table in &tables {
            run::measure(&folder, table, FOLDS, preset.name(), &[], args.seeds, &mut results)?;
        }
        holds &= report::print(preset, &tables, &baselines, &results, args.seeds);
    }
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
