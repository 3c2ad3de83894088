//! Kiln beside JAX and PyTorch in training, and beside onnxruntime in inference.
//!
//! Each competitor is a process of its own that reads the same raw files; Kiln is this program, called
//! anew. Kiln and a peer run in turn, so that what else the machine does falls on both alike, and are
//! compared pair by pair.
//!
//! `cargo bench -p kiln-cli --bench compare -- --help` lists the flags.

mod cases;
mod kiln_side;
mod peer;
mod problem;
mod report;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Parser, builder::PossibleValuesParser};

use cases::{CASES, Case, PREDICT};
use peer::{ONNXRUNTIME, Peer, TRAINERS};
use report::{Inference, Report, Training};

/// The first argument of a call that is Kiln's side.
const KILN_SIDE: &str = "run-kiln";

/// Kiln beside JAX, PyTorch and onnxruntime
#[derive(Parser)]
struct Args {
    /// What to compare; without names, all
    #[arg(value_parser = PossibleValuesParser::new(names()))]
    names: Vec<String>,
    /// Times that Kiln and a peer run in turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
    /// Timed epochs, in place of those that take some seconds
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Runs the peers [default: $KILN_PEERS_PYTHON, or else python3]
    #[arg(long)]
    python: Option<PathBuf>,
    /// Puts the tables between the markers `compare` of README.md
    #[arg(long)]
    write: bool,
    /// Cargo adds it
    #[arg(long, hide = true)]
    bench: bool,
}

fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.name).chain([PREDICT])
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [first, rest @ ..] = &arguments[..]
        && first == KILN_SIDE
    {
        return kiln_side::main(rest);
    }
    let args = Args::parse();
    let python = args
        .python
        .clone()
        .or_else(|| env::var_os("KILN_PEERS_PYTHON").map(PathBuf::from))
        .unwrap_or_else(|| "python3".into());
    let wanted = |name: &str| args.names.is_empty() || args.names.iter().any(|n| n == name);
    let here = |peer: &Peer| {
        let found = peer.check(&python);
        if let Err(why) = &found {
            println!("{} is left out: {why}", peer.name);
        }
        found.is_ok()
    };

    let mut report = Report { pairs: args.pairs, ..Report::default() };
    let cases: Vec<&Case> = CASES.iter().filter(|case| wanted(case.name)).collect();
    if !cases.is_empty() {
        let peers: Vec<usize> = (0..TRAINERS.len()).filter(|peer| here(&TRAINERS[*peer])).collect();
        for case in cases {
            let compared = train(case, &peers, &args, &python);
            report.training.extend(compared.with_context(|| case.name)?);
        }
    }
    if wanted(PREDICT) && here(&ONNXRUNTIME) {
        report.inference = Some(predict(&args, &python).context(PREDICT)?);
    }

    let tables = report.markdown();
    print!("{tables}");
    if args.write {
        let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
        let text = fs::read_to_string(readme).context(readme)?;
        fs::write(readme, report::between_markers(&text, &tables).context(readme)?)?;
    }
    Ok(())
}

/// Kiln and each of the peers, which are indices of [`TRAINERS`].
fn train(
    case: &'static Case,
    peers: &[usize],
    args: &Args,
    python: &Path,
) -> anyhow::Result<Vec<Training>> {
    if peers.is_empty() {
        return Ok(Vec::new());
    }
    let (train, test) = match case.data.rows() {
        Ok(rows) => rows,
        Err(why) => {
            println!("{} is skipped: {why} (KILN_DATA_DIR names the folder)", case.name);
            return Ok(Vec::new());
        }
    };
    let folder = tempfile::tempdir()?;
    let problem = case.problem();
    problem.write(folder.path(), &[("train", &train), ("test", &test)])?;
    drop((train, test));

    let mut compared = Vec::new();
    for &index in peers {
        let peer = &TRAINERS[index];
        let epochs = args.epochs.unwrap_or(case.epochs[index]);
        let mut pairs = Vec::new();
        for pair in 1..=args.pairs {
            let kiln: peer::Trained = peer::run_kiln("train", folder.path(), epochs)?;
            let theirs: peer::Trained = peer.run(python, folder.path(), epochs)?;
            eprintln!(
                "{}, pair {pair}: kiln {:.0} rows/s, {} {:.0} rows/s",
                case.name, kiln.rows_per_second, peer.name, theirs.rows_per_second
            );
            pairs.push([kiln, theirs]);
        }
        compared.push(Training { case, peer: peer.name, pairs });
    }
    Ok(compared)
}

fn predict(args: &Args, python: &Path) -> anyhow::Result<Inference> {
    let folder = tempfile::tempdir()?;
    let problem = cases::prediction_problem();
    problem.write(folder.path(), &[("test", &cases::prediction_rows())])?;
    let mut pairs = Vec::new();
    for pair in 1..=args.pairs {
        let calls = cases::PREDICT_CALLS;
        let kiln: peer::Predicted = peer::run_kiln("predict", folder.path(), calls)?;
        let theirs: peer::Predicted = ONNXRUNTIME.run(python, folder.path(), calls)?;
        eprintln!(
            "{PREDICT}, pair {pair}: kiln {:.0} rows/s and {:.0} µs, {} {:.0} rows/s and {:.0} µs",
            kiln.rows_per_second,
            kiln.one_row_microseconds,
            ONNXRUNTIME.name,
            theirs.rows_per_second,
            theirs.one_row_microseconds,
        );
        pairs.push([kiln, theirs]);
    }
    Ok(Inference { peer: ONNXRUNTIME.name, network: problem.network(), pairs })
}
