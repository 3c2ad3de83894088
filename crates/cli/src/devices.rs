use kiln::backend::{self, BackendInfo};

use crate::console::Console;

pub(crate) fn run(console: Console) -> anyhow::Result<()> {
    let backends = backend::list();
    Ok(console.result(&backends, || backends.iter().map(lines).collect())?)
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
