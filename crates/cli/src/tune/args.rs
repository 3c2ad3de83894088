use std::{num::NonZeroUsize, path::PathBuf};

use anyhow::Context;
use kiln::{backend::BackendName, store::check_writable};

use crate::{
    options::{Options, ReadArgs},
    run_files::ReportArgs,
    write_file::refuse_overwriting,
};

/// More than anyone waits for, and few enough to be kept in memory.
const MOST_TRIALS: i64 = 10_000;

/// Search for the settings that suit a table
///
/// Tries settings on four fifths of the rows, each time with the same validation rows among them; gives up early
/// on what falls behind; measures the best ones, and the defaults, on the last fifth, which no trial saw; and
/// writes the best ones as a file for `kiln train --config`. An option that is given is not searched. When the time
/// of --time-budget is over, trials in training are cut off; what is left to do takes that of two runs of
/// `kiln train`.
///
/// Searched are the number (1, 2, 3) and width (64 to 512) of hidden layers, activation (relu, selu, mish),
/// dropout (0 to 0.5), learning rate and weight decay (around the usual ones of the optimizer), batch size (half
/// to four times the default), numeric bins (0, 8, 16, 32) and scaling (robust, standard).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// CSV, TSV or Parquet, perhaps compressed by gzip or zstd; `-` is stdin
    pub(super) file: PathBuf,
    /// The file of options to write
    #[arg(short, long, value_name = "TOML")]
    pub(super) output: PathBuf,
    /// How many settings are tried; the first are the defaults
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 50,
        value_parser = clap::value_parser!(u32).range(1..=MOST_TRIALS),
        help_heading = "Search"
    )]
    pub(super) trials: u32,
    /// How many trials at a time; up to 4 change nothing but the time [default: one for each core, 4 at most; on
    /// a GPU 1]
    #[arg(long, value_name = "COUNT", help_heading = "Search")]
    pub(super) jobs: Option<NonZeroUsize>,
    /// Where trials are kept, so that the same command goes on when it was cut off [default: beside the output]
    #[arg(long, value_name = "FILE", help_heading = "Search")]
    pub(super) journal: Option<PathBuf>,
    /// Read options from a TOML file; flags win over it. What it says is not searched
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// cuda, rocm, wgpu, flex or ndarray; without it the first of these that is compiled in
    #[arg(long)]
    pub(super) backend: Option<BackendName>,
    #[command(flatten)]
    pub(super) report: ReportArgs,
    #[command(flatten)]
    pub(super) read: ReadArgs,
    #[command(flatten)]
    pub(super) options: Options,
}

impl Args {
    /// Where trials are kept.
    pub(super) fn journal(&self) -> PathBuf {
        let beside = || self.output.with_extension("journal.jsonl");
        self.journal.clone().unwrap_or_else(beside)
    }

    /// Before the work, whose result would be lost.
    pub(super) fn check_files(&self, journal: &PathBuf) -> anyhow::Result<()> {
        for path in [&self.output, journal] {
            check_writable(path).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let inputs = || [&self.file].into_iter().chain(&self.options.valid).chain(&self.config);
        refuse_overwriting(&self.output, inputs().chain([journal]))?;
        refuse_overwriting(journal, inputs())?;
        self.report.check(inputs().chain([&self.output, journal]))
    }
}
