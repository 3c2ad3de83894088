//! Connections: very many, and none that speaks HTTP.

use std::{env, io::Write, net::TcpStream, process::Command};

use crate::common::Folder;
use crate::hostile::server;
use crate::server::{Server, predict};

#[test]
fn idle_connections_keep_no_one_waiting() {
    let (_folder, server) = server("");
    // The tests beside this one, in the same process, need some files too.
    let limit = Command::new("sh").args(["-c", "ulimit -n"]).output().expect("sh runs").stdout;
    let limit = String::from_utf8(limit).unwrap().trim().parse().unwrap_or(usize::MAX);
    let wanted = if env::var_os("KILN_STRESS").is_some() { 10_000 } else { 1_000 };
    let count = wanted.min(limit / 2);
    if count < wanted {
        eprintln!("{count} idle connections, not {wanted}, for {limit} files may be open");
    }
    let connect = |_| TcpStream::connect(server.address).unwrap();
    let mut idle: Vec<TcpStream> = (0..count).map(connect).collect();
    server.answers();
    // Half of them begin a request, and leave it at that.
    for stream in idle.iter_mut().step_by(2) {
        stream.write_all(b"POST /v1/predict HTTP/1.1\r\n").unwrap();
    }
    server.answers();
    let metrics = server.get("/metrics");
    let open = metrics.text().lines().find_map(|line| line.strip_prefix("kiln_connections "));
    let open: usize = open.unwrap().parse().unwrap();
    assert!(open > idle.len(), "{open} of {}", idle.len());
}

#[test]
fn connections_over_the_limit_wait_for_their_turn() {
    let (_folder, server) = server("--max-connections 2");
    let mut first = server.connect();
    let request = predict("application/json", r#"{"rows": [[1, 2]]}"#);
    assert_eq!(first.send(&request).status, 200);
    let second = server.connect();
    let mut third = server.connect();
    third.write(&request.bytes()).unwrap();
    assert_eq!(first.send(&request).status, 200);
    drop(second);
    assert_eq!(third.response().status, 200);
}

#[test]
fn no_more_connections_are_taken_than_files_may_be_open() {
    let folder = Folder::with_model();
    let server = Server::start_with_files(&folder, 64);
    let warning = "warning: the limit on open files allows 32 connections (see `ulimit -n`)";
    assert_eq!(server.says(), warning);
    let connect = |_| TcpStream::connect(server.address).unwrap();
    let mut idle: Vec<TcpStream> = (0..100).map(connect).collect();
    let mut connection = server.connect();
    connection.write(&predict("application/json", r#"{"rows": [[1, 2]]}"#).bytes()).unwrap();
    idle.clear();
    assert_eq!(connection.response().status, 200);
}

#[test]
fn what_is_not_http_is_refused() {
    let (_folder, server) = server("");
    for bytes in [
        &b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"[..],
        b"GET\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: kiln\r\nContent-Length: x\r\n\r\n",
    ] {
        let mut connection = server.connect();
        connection.write(bytes).unwrap();
        if let Some(response) = connection.try_response() {
            assert_eq!(response.status, 400, "{bytes:?}");
        }
        server.answers();
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: kiln\r\n\r\n", "x".repeat(1 << 20));
    let mut connection = server.connect();
    let _ = connection.write(long.as_bytes());
    if let Some(response) = connection.try_response() {
        assert!([414, 431].contains(&response.status), "{response:?}");
    }
    server.answers();
}
