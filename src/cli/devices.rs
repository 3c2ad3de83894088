use std::io::Write;

use kiln::backend::{self, BackendInfo};

/// List the backends compiled in and the devices they find
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let backends = backend::list();
    let text = if args.json {
        serde_json::to_string_pretty(&backends)? + "\n"
    } else {
        backends.iter().map(lines).collect()
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        // The reader, `head` say, has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

fn lines(backend: &BackendInfo) -> String {
    let name = backend.name;
    if !backend.compiled_in {
        return format!("{name:<8} not compiled in (build with --features {name})\n");
    }
    let preferred = if backend.preferred { " (used unless --backend says otherwise)" } else { "" };
    if backend.devices.is_empty() {
        return format!("{name:<8} no device found{preferred}\n");
    }
    let mut text = String::new();
    for device in &backend.devices {
        let threads = match device.threads {
            Some(1) => ", 1 thread".to_owned(),
            Some(threads) => format!(", {threads} threads"),
            None => format!(", {}", device.kind),
        };
        let driver = device.driver.as_ref().map_or(String::new(), |driver| format!(", {driver}"));
        text += &format!("{name:<8} {}{threads}{driver}{preferred}\n", device.name);
    }
    text
}
