//! Loading the model again, and stopping.

use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use serde_json::json;

use crate::common::{Folder, good};
use crate::server::{Connection, Server, predict};

const ROW: &str = r#"{"rows": [{"a": 1, "b": 2}]}"#;

/// A request whose handler waits for the end of the body, which is returned.
fn half_sent(server: &Server) -> (Connection, Vec<u8>) {
    let mut connection = server.connect();
    let request = predict("application/json", ROW).header("Expect", "100-continue").bytes();
    let (start, end) = request.split_at(request.len() - 5);
    connection.write(start).unwrap();
    // This is said when the body is asked for.
    assert_eq!(connection.response().status, 100);
    (connection, end.to_vec())
}

#[test]
fn a_model_is_loaded_again_without_a_failed_request() {
    let folder = Folder::with_model();
    folder.write("other.csv", good().replace(",x\n", ",ex\n").replace(",y\n", ",why\n"));
    folder.succeeds("train other.csv --target class -o other.safetensors --epochs 2 -q");
    let first = fs::read(folder.path("model.safetensors")).unwrap();
    let other = fs::read(folder.path("other.safetensors")).unwrap();
    let server = Server::start(&folder, "");
    let (old_classes, new_classes) = (json!(["x", "y"]), json!(["ex", "why"]));
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = server.connect();
                while !done.load(Ordering::Relaxed) {
                    let answer = connection.send(&predict("application/json", ROW));
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    let answer = answer.json();
                    let classes = &answer["classes"];
                    assert!([&old_classes, &new_classes].contains(&classes), "{answer}");
                    let class = &answer["predictions"][0]["class"];
                    assert!(classes.as_array().unwrap().contains(class), "{answer}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 0..10 {
            let before = answered.load(Ordering::Relaxed);
            folder.write("new", if round % 2 == 0 { &other } else { &first });
            fs::rename(folder.path("new"), folder.path("model.safetensors")).unwrap();
            server.signal("HUP");
            assert_eq!(server.says(), "loaded model again");
            while answered.load(Ordering::Relaxed) < before + 20 {
                thread::yield_now();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    folder.write("model.safetensors", &other);
    server.signal("HUP");
    assert_eq!(server.says(), "loaded model again");
    let classes = server.get("/v1/model").json()["classes"].clone();
    assert_eq!(classes, new_classes);
    let metrics = server.get("/metrics");
    assert!(metrics.text().contains("kiln_reloads_total{result=\"ok\"} 11\n"));
}

#[test]
fn a_file_that_can_not_be_loaded_leaves_the_model_before() {
    let folder = Folder::with_model();
    let server = Server::start(&folder, "");
    let before = server.predict(ROW).body;
    let start = "warning: the model before stays, for the new one can't be loaded: ";
    folder.write("model.safetensors", "no model");
    server.signal("HUP");
    let said = server.says();
    assert!(said.starts_with(&format!("{start}model.safetensors: not a Kiln model: ")), "{said}");
    fs::remove_file(folder.path("model.safetensors")).unwrap();
    server.signal("HUP");
    let expected =
        format!("{start}cannot read model.safetensors: No such file or directory (os error 2)");
    assert_eq!(server.says(), expected);
    assert_eq!(server.predict(ROW).body, before);
    let metrics = server.get("/metrics");
    assert!(metrics.text().contains("kiln_reloads_total{result=\"failed\"} 2\n"));
}

#[test]
fn requests_in_flight_are_answered_before_the_end() {
    let folder = Folder::with_model();
    let mut server = Server::start(&folder, "");
    let mut idle = server.connect();
    assert_eq!(idle.send(&predict("application/json", ROW)).status, 200);
    let (mut busy, end) = half_sent(&server);
    server.signal("TERM");
    assert_eq!(server.says(), "stopping: requests in flight are answered");
    assert!(idle.is_closed());
    let ready = server.get("/readyz");
    assert_eq!(ready.header("retry-after"), Some("1"));
    assert_eq!(ready.problem(503), "the server is stopping");
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.predict(ROW).problem(503), "the server is stopping");
    busy.write(&end).unwrap();
    let answer = busy.response();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(busy.is_closed());
    assert_eq!(server.wait(), (true, vec![]));
}

#[test]
fn requests_that_never_end_are_cut_off() {
    let folder = Folder::with_model();
    for (args, signals) in [("--drain 0.1", 1), ("", 2)] {
        let mut server = Server::start(&folder, args);
        let (mut busy, _) = half_sent(&server);
        server.signal("INT");
        assert_eq!(server.says(), "stopping: requests in flight are answered");
        if signals == 2 {
            server.signal("INT");
        }
        let said = vec!["warning: requests in flight were cut off".to_owned()];
        assert_eq!(server.wait(), (true, said));
        assert!(busy.is_closed());
    }
}
