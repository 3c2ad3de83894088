use std::path::PathBuf;

use anyhow::Context;
use kiln::{
    backend::{self, Job, TrainBackend},
    classifier::{Classifier, ClassifierError},
    train::distributed::{Network, Plan, Scaling},
};
use serde::Serialize;

use crate::{console::Console, report::aligned};

/// Say how much faster several processes would train a network
///
/// What each process computes is divided by their number; that they add up the gradients in each iteration
/// comes on top: `efficiency = compute / (compute + 2(N-1)/N · 4P/W + 2(N-1) · latency)`, of N processes, P
/// parameters and W bytes per second
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A model file, whose network is meant
    #[arg(required_unless_present = "parameters", conflicts_with = "parameters")]
    model: Option<PathBuf>,
    /// Parameters of the network, in place of a model file
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    parameters: Option<u64>,
    /// Rows per iteration, of all processes together
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u64).range(1..))]
    batch_size: u64,
    /// Rows that one process trains on in a second, as `kiln train` shows it
    #[arg(long, value_name = "ROWS", value_parser = positive)]
    rows_per_second: f64,
    /// Of the network, in gigabits per second
    #[arg(long, value_name = "GBIT", default_value = "10", value_parser = positive)]
    bandwidth: f64,
    /// Of a message, in microseconds
    #[arg(long, value_name = "MICROSECONDS", default_value = "50", value_parser = not_negative)]
    latency: f64,
    /// How many processes
    #[arg(
        long,
        value_name = "COUNTS",
        value_delimiter = ',',
        default_value = "1,2,4,8,16,32",
        value_parser = clap::value_parser!(u64).range(1..=1_000_000)
    )]
    ranks: Vec<u64>,
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| *number > 0.0 && number.is_finite());
    number.ok_or_else(|| "expected a number above 0".to_owned())
}

fn not_negative(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| *number >= 0.0 && number.is_finite());
    number.ok_or_else(|| "expected a number, at least 0".to_owned())
}

/// What is said.
#[derive(Serialize)]
struct Planned {
    parameters: usize,
    batch_size: u64,
    ranks: Vec<Scaling>,
}

pub(crate) fn run(args: Args, console: Console) -> anyhow::Result<()> {
    let parameters = match (&args.model, args.parameters) {
        (Some(model), _) => backend::run(None, Parameters(model.clone()))??,
        (None, parameters) => usize::try_from(parameters.expect("clap asks for one of them"))
            .context("so many parameters have no room in memory")?,
    };
    let network = Network { bandwidth: args.bandwidth * 1e9 / 8.0, latency: args.latency * 1e-6 };
    let plan = Plan {
        parameters,
        batch_size: args.batch_size as usize,
        rows_per_second: args.rows_per_second,
        network,
    };
    let ranks = args.ranks.iter().map(|ranks| plan.scaling(*ranks as usize)).collect();
    let planned = Planned { parameters, batch_size: args.batch_size, ranks };
    Ok(console.result(&planned, || text(&planned))?)
}

struct Parameters(PathBuf);

impl Job for Parameters {
    type Output = Result<usize, ClassifierError>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let classifier = Classifier::<B::InnerBackend>::load(&self.0, &device)?;
        Ok(classifier.manifest().network.num_parameters())
    }
}

fn text(planned: &Planned) -> String {
    let Planned { parameters, batch_size, ranks } = planned;
    let head = ["processes", "rows each", "compute", "exchange", "efficiency", "speedup"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    lines.extend(ranks.iter().map(|of| {
        vec![
            of.ranks.to_string(),
            format!("{:.0}", of.rows_per_rank),
            format!("{:.2} ms", of.compute * 1e3),
            format!("{:.2} ms", of.exchange * 1e3),
            format!("{:.0} %", of.efficiency * 1e2),
            format!("{:.1}", of.speedup),
        ]
    }));
    format!("{parameters} parameters, {batch_size} rows an iteration:\n{}", aligned(&lines))
}
