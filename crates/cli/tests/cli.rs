//! The `kiln` command, from the outside.

use std::process::{Command, Output};

fn kiln(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kiln")).args(args).output().expect("kiln runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn devices_lists_every_backend_and_marks_the_one_in_use() {
    let output = kiln(&["devices"]);
    assert!(output.status.success());
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    for name in ["cuda", "rocm", "wgpu", "flex", "ndarray"] {
        assert!(lines.iter().any(|line| line.starts_with(name)), "{name} in {lines:?}");
    }
    let used = "(used unless --backend says otherwise)";
    assert_eq!(lines.iter().filter(|line| line.ends_with(used)).count(), 1);
    if !cfg!(feature = "rocm") {
        assert!(lines.contains(&"rocm     not compiled in (build with --features rocm)"));
    }
}

#[test]
fn devices_as_json_has_threads_for_cpu_backends() {
    let output = kiln(&["devices", "--json"]);
    assert!(output.status.success());
    let backends: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let backends = backends.as_array().expect("a list");
    assert_eq!(backends.len(), 5);
    let preferred: Vec<_> = backends.iter().filter(|b| b["preferred"] == true).collect();
    assert_eq!(preferred.len(), 1);
    assert_eq!(preferred[0]["compiled_in"], true);
    for backend in backends {
        let cpu = backend["name"] == "ndarray" || backend["name"] == "flex";
        if cpu && backend["compiled_in"] == true {
            assert!(backend["devices"][0]["threads"].as_u64().expect("a number") >= 1);
        }
        if backend["compiled_in"] == false {
            assert_eq!(backend["devices"], serde_json::json!([]));
        }
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    for args in [&[][..], &["no-such-command"], &["devices", "--no-such-flag"]] {
        let output = kiln(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}

#[test]
fn a_plan_says_how_much_faster_processes_are() {
    let network = "--bandwidth 8 --latency 50 --batch-size 1000 --rows-per-second 100000";
    let plan = |args: &str| {
        let args: Vec<&str> = ["plan"].into_iter().chain(args.split(' ')).collect();
        kiln(&args)
    };
    let output = plan(&format!("--parameters 250000 {network} --ranks 1,4"));
    assert_eq!(
        text(&output.stdout),
        "250000 parameters, 1000 rows an iteration:\n  \
         processes  rows each  compute   exchange  efficiency  speedup\n  \
         1          1000       10.00 ms  0.00 ms   100 %       1.0\n  \
         4          250        2.50 ms   1.80 ms   58 %        2.3\n"
    );
    let output = plan(&format!("--parameters 250000 {network} --ranks 4 --json"));
    let plan_4: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!((plan_4["ranks"][0]["efficiency"].as_f64().unwrap() - 2.5 / 4.3).abs() < 1e-12);
    for wrong in [
        "",
        "--parameters 0",
        "--parameters 1 --ranks 0",
        "--parameters 1 --latency -1",
        "--parameters 1 --bandwidth inf",
        "model --parameters 1",
    ] {
        assert_eq!(plan(&format!("{network} {wrong}")).status.code(), Some(2), "{wrong}");
    }
}

/// The Vulkan loader takes its drivers from the files that these variables name.
#[cfg(all(feature = "wgpu", target_os = "linux"))]
#[test]
fn devices_says_that_wgpu_found_none() {
    let output = Command::new(env!("CARGO_BIN_EXE_kiln"))
        .arg("devices")
        .env("VK_DRIVER_FILES", "/nonexistent.json")
        .env("VK_ICD_FILENAMES", "/nonexistent.json")
        .output()
        .expect("kiln runs");
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("wgpu     no device found"), "{:?}", output.stdout);
}
