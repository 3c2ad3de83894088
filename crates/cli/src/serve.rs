use std::{env, net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use anyhow::Context;
use kiln::{
    backend::{self, BackendName, Job, TrainBackend},
    classifier::{Classifier, ClassifierError},
    serve::{Event, Limits, Model, ServeConfig, Token, serve},
};

use crate::console::{Console, print};

/// The variable that holds the token where no file does.
const TOKEN: &str = "KILN_TOKEN";

/// Serve a model over HTTP
///
/// Answers `POST /v1/predict` (JSON, CSV or Arrow), `GET /v1/model`, `/openapi.json`, `/healthz`,
/// `/readyz` and `/metrics`; at `/` is a page to try the model. SIGHUP loads the model file again without
/// a break. SIGINT and SIGTERM answer the requests in flight and end the server.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A model file that `kiln train` wrote
    model: PathBuf,
    /// Where to listen; port 0 is any free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// A file with the token that requests must bear [default: the variable KILN_TOKEN, else none]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// cuda, rocm, wgpu, flex or ndarray; without it the first of these that is compiled in
    #[arg(long)]
    backend: Option<BackendName>,
    #[command(flatten)]
    limits: LimitArgs,
}

/// What is too much.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// Bytes of the body of a request [default: 16777216]
    #[arg(long, value_name = "BYTES")]
    max_body: Option<NonZeroUsize>,
    /// Rows of a request [default: 100000]
    #[arg(long, value_name = "COUNT")]
    max_rows: Option<NonZeroUsize>,
    /// For the head of a request, for its body, for its answer, and for a client that does not read
    /// that [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Connections at once; more wait until one ends [default: 16384]
    #[arg(long, value_name = "COUNT")]
    max_connections: Option<NonZeroUsize>,
    /// Rows that wait for the network, of all requests; more are refused [default: 16384]
    #[arg(long, value_name = "COUNT")]
    max_queue: Option<NonZeroUsize>,
    /// Bytes of all bodies in memory, and of large answers; more are refused [default: 268435456]
    #[arg(long, value_name = "BYTES")]
    max_buffered: Option<NonZeroUsize>,
    /// For the requests in flight when the server is stopped [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    drain: Option<Duration>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    // A day is more than anyone waits, and far from where clocks overflow.
    let in_range = |time: &Duration| !time.is_zero() && time.as_secs() <= 86_400;
    seconds.filter(in_range).ok_or_else(|| "expected seconds above 0, 86400 at most".to_owned())
}

impl LimitArgs {
    fn limits(&self) -> Limits {
        let default = Limits::default();
        let or = |given: Option<NonZeroUsize>, default| given.map_or(default, NonZeroUsize::get);
        Limits {
            body_bytes: or(self.max_body, default.body_bytes),
            rows: or(self.max_rows, default.rows),
            timeout: self.timeout.unwrap_or(default.timeout),
            connections: or(self.max_connections, default.connections),
            queued_rows: or(self.max_queue, default.queued_rows),
            buffered_bytes: or(self.max_buffered, default.buffered_bytes),
            drain: self.drain.unwrap_or(default.drain),
        }
    }
}

pub(crate) fn run(args: Args, console: Console) -> anyhow::Result<()> {
    backend::run(args.backend, Serve { args, console })?
}

struct Serve {
    args: Args,
    console: Console,
}

impl Job for Serve {
    type Output = anyhow::Result<()>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let Self { args, console } = self;
        let token = args.token()?;
        if token.is_none() && !args.listen.ip().is_loopback() {
            console.warn(format_args!(
                "whoever reaches {} can ask the model: `--token-file` keeps others out",
                args.listen
            ));
        }
        let config = ServeConfig {
            listen: args.listen,
            token,
            limits: args.limits.limits(),
            access_log: console.is_verbose(),
        };
        let path = args.model;
        let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let load = move || -> Result<Model, ClassifierError> {
            let classifier = Classifier::<B::InnerBackend>::load(&path, &device)?;
            Ok(Model::new(&name, classifier))
        };
        Ok(serve(load()?, load, config, move |event| tell(console, event))?)
    }
}

impl Args {
    fn token(&self) -> anyhow::Result<Option<Token>> {
        if let Some(path) = &self.token_file {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let token = Token::new(&text).with_context(|| path.display().to_string())?;
            return Ok(Some(token));
        }
        match env::var(TOKEN) {
            Ok(text) => Ok(Some(Token::new(&text).context(TOKEN)?)),
            Err(env::VarError::NotPresent) => Ok(None),
            Err(error) => Err(error).context(TOKEN),
        }
    }
}

fn tell(console: Console, event: Event) {
    match event {
        Event::Listening(address) => {
            // Where stdout is closed no one asks for the port.
            let _ = print(&format!("listening on http://{address}\n"));
        }
        Event::Request { method, path, status, time } => {
            let ms = time.as_secs_f64() * 1e3;
            console.note(format_args!("{method} {path} {status} {ms:.1} ms"));
        }
        Event::Reloaded(name) => console.note(format_args!("loaded {name} again")),
        Event::ReloadFailed(error) => {
            let error = anyhow::Chain::new(error).map(ToString::to_string).collect::<Vec<_>>();
            console.warn(format_args!(
                "the model before stays, for the new one can't be loaded: {}",
                error.join(": ")
            ));
        }
        Event::AcceptFailed(error) => {
            console.warn(format_args!("cannot accept a connection: {error}"));
        }
        Event::FewerConnections(most) => console.warn(format_args!(
            "the limit on open files allows {most} connections (see `ulimit -n`)"
        )),
        Event::Stopping => console.note("stopping: requests in flight are answered"),
        Event::CutOff => console.warn("requests in flight were cut off"),
        _ => {}
    }
}
