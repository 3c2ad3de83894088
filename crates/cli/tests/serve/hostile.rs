//! Requests that are wrong, huge, slow, or never end: each is refused, and others are served.

use std::{io::Write, net::TcpStream};

use crate::common::Folder;
use crate::hostile_arrow::{arrow, texts};
use crate::server::{Request, Server, predict};

pub(crate) const ARROW: &str = "application/vnd.apache.arrow.stream";

pub(crate) fn server(args: &str) -> (Folder, Server) {
    let folder = Folder::with_model();
    let server = Server::start(&folder, args);
    (folder, server)
}

/// What comes of a body, and that others are served after it.
#[track_caller]
pub(crate) fn refused(server: &Server, media: &str, body: impl AsRef<[u8]>, status: u16) -> String {
    let response = server.send(&predict(media, body));
    let detail = response.problem(status);
    server.answers();
    detail
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let (_folder, server) = server("--max-body 1000");
    let detail = "the body has more than 1000 bytes";
    assert_eq!(refused(&server, "text/csv", "a,b\n".repeat(251), 413), detail);
    // Announced, and never sent.
    let mut connection = server.connect();
    let head = "POST /v1/predict HTTP/1.1\r\nHost: kiln\r\nContent-Type: text/csv\r\n\
                Content-Length: 1000000000000\r\n\r\n";
    connection.write(head.as_bytes()).unwrap();
    assert_eq!(connection.response().problem(413), detail);
    assert!(connection.is_closed());
    // Of no announced length, and without end.
    let mut connection = server.connect();
    let head = "POST /v1/predict HTTP/1.1\r\nHost: kiln\r\nContent-Type: text/csv\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    connection.write(head.as_bytes()).unwrap();
    while connection.write(b"10\r\n1,2,3,4,5,6,7,8\n\r\n").is_ok() {}
    server.answers();
    let mut connection = server.connect();
    connection.write(head.as_bytes()).unwrap();
    for _ in 0..63 {
        let _ = connection.write(b"10\r\n1,2,3,4,5,6,7,8\n\r\n");
    }
    assert_eq!(connection.response().problem(413), detail);
    server.answers();
}

#[test]
fn more_rows_than_allowed_are_refused() {
    let (_folder, server) = server("--max-rows 10");
    let detail = "more than 10 rows, send them in several requests";
    let csv = |rows| "a,b\n".to_owned() + &"1,2\n".repeat(rows);
    let json = |rows| format!("{{\"rows\": [{}]}}", vec!["[1, 2]"; rows].join(","));
    assert_eq!(server.send(&predict("text/csv", csv(10))).status, 200);
    assert_eq!(refused(&server, "text/csv", csv(11), 413), detail);
    assert_eq!(server.predict(&json(10)).status, 200);
    assert_eq!(refused(&server, "application/json", json(11), 413), detail);
    assert_eq!(refused(&server, ARROW, arrow(&texts(11)), 413), detail);
}

#[test]
fn more_than_fits_in_the_queue_or_in_memory_is_put_off() {
    let (_folder, server) = server("--max-buffered 1000");
    let response = server.send(&predict("text/csv", "a,b\n".repeat(251)));
    assert_eq!(response.header("retry-after"), Some("1"));
    assert_eq!(response.problem(503), "too many bodies are in memory, try again later");
    server.answers();
}

#[test]
fn slow_heads_and_slow_bodies_are_given_up() {
    let (_folder, server) = server("--timeout 1");
    // A head that never ends.
    let mut connection = server.connect();
    connection.write(b"POST /v1/predict HTTP/1.1\r\nHost: ki").unwrap();
    assert!(connection.try_response().is_none_or(|response| response.status == 408));
    // One that comes letter by letter, for as long as it is taken.
    let mut connection = server.connect();
    connection.write(b"GET / HTTP/1.1\r\nX: ").unwrap();
    while connection.write(b"x").is_ok() {
        std::thread::yield_now();
    }
    // A body that stays away.
    let mut connection = server.connect();
    let mut request = predict("application/json", "").bytes();
    request.truncate(request.len() - "0\r\n\r\n".len());
    request.extend(b"100\r\n\r\n{\"rows\"");
    connection.write(&request).unwrap();
    assert_eq!(connection.response().problem(408), "the body took more than 1 s");
    assert!(connection.is_closed());
    // Nothing at all.
    assert!(server.connect().is_closed());
    server.answers();
}

#[test]
fn a_client_that_reads_no_answer_keeps_no_other_waiting() {
    let (_folder, server) = server("--timeout 2");
    let rows = "a,b\n".to_owned() + &"1,2\n".repeat(100_000);
    let request = predict("text/csv", rows).bytes();
    let mut idle: Vec<TcpStream> = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(&request).unwrap();
        idle.push(stream);
        server.answers();
    }
    // They are given up: what is open in the end is the connection that asks.
    let alone = |_| {
        let metrics = server.get("/metrics");
        metrics.text().lines().any(|line| line == "kiln_connections 1")
    };
    assert!((0..1_000_000).any(alone), "connections stay open");
}

#[test]
fn json_that_is_no_request_is_refused() {
    let (_folder, server) = server("");
    let deep = "[".repeat(100_000);
    let deep_value = format!("{{\"rows\": [{{\"a\": {deep}{}, \"b\": 1}}]}}", "]".repeat(100_000));
    let cases: [(&str, u16, &str); 19] = [
        ("", 400, "the body is no JSON object, expected {\"rows\": [...]}"),
        ("[[1, 2]]", 400, "the body is no JSON object, expected {\"rows\": [...]}"),
        (&deep, 400, "the body is no JSON object, expected {\"rows\": [...]}"),
        (&deep_value, 422, "row 1, column \"a\": found a list, expected a single value"),
        ("{\"rows\": [", 400, "the body: EOF while parsing a list at line 1 column 10"),
        ("{}", 400, "the body: missing field `rows` at line 1 column 2"),
        (
            "{\"row\": []}",
            400,
            "the body: unknown field `row`, expected `rows` or `columns` at line 1 column 6",
        ),
        ("{\"rows\": [[1, 2]]} x", 400, "the body: trailing characters at line 1 column 20"),
        ("{\"rows\": 3}", 400, "\"rows\": invalid type: integer `3`, expected a list of rows"),
        (
            "{\"rows\": [[1, 2], 3]}",
            400,
            "row 2: invalid type: integer `3`, expected an object by column name, or a list",
        ),
        ("{\"rows\": [[1]]}", 422, "row 1: 1 value, expected 2"),
        ("{\"rows\": [[1, 2, 3]]}", 422, "row 1: 3 values, expected 2"),
        (
            "{\"rows\": [{\"a\": 1, \"a\": 2, \"b\": 3}]}",
            422,
            "row 1, column \"a\": it is there twice",
        ),
        (
            "{\"rows\": [[\"Infinity\", 2]]}",
            422,
            "row 1, column \"a\": \"Infinity\" is not a number",
        ),
        (
            "{\"rows\": [[1, \"-Infinity\"]]}",
            422,
            "row 1, column \"b\": \"-Infinity\" is not a number",
        ),
        (
            "{\"rows\": [[\"1e999\", 2]]}",
            422,
            "row 1, column \"a\": \"1e999\" is outside the range of numbers",
        ),
        ("{\"rows\": [[1e999, 2]]}", 400, "row 1: number out of range"),
        ("{\"rows\": [[true, 2]]}", 422, "row 1, column \"a\": \"true\" is not a number"),
        (
            "{\"rows\": [[1, 2]], \"columns\": [\"a\", \"a\", \"b\"]}",
            400,
            "\"columns\": \"a\" is there twice",
        ),
    ];
    for (body, status, detail) in cases {
        let shown = &body[..body.len().min(60)];
        assert_eq!(refused(&server, "application/json", body, status), detail, "{shown}");
    }
    // This one text is among those that mean a missing value, unless training was told otherwise.
    let of = |text: &str| server.predict(&format!("{{\"rows\": [[{text}, 2]]}}")).body;
    assert_eq!(of("\"NaN\""), of("null"));
    // As the language of JavaScript has them.
    for word in ["NaN", "Infinity", "-Infinity", "undefined", "0x10", "'x'"] {
        let body = format!("{{\"rows\": [[{word}, 2]]}}");
        let detail = refused(&server, "application/json", body, 400);
        assert!(detail.starts_with("the body: "), "{detail}");
    }
    let detail = refused(&server, "application/json", b"{\"rows\": [[\"\xff\", 2]]}", 400);
    assert_eq!(detail, "byte 12 of the body (counted from 0) is not UTF-8");
    let detail = refused(&server, "application/json", r#"{"rows": [["\ud800", 2]]}"#, 400);
    assert!(
        detail.contains("lone leading surrogate") || detail.contains("end of hex escape"),
        "{detail}"
    );
}

#[test]
fn a_million_columns_are_refused_or_ignored() {
    let (_folder, server) = server("");
    let names: Vec<String> = (0..1_000_000).map(|column| format!("c{column}")).collect();
    let csv = format!("{}\n{}\n", names.join(","), vec!["1"; 1_000_000].join(","));
    let detail = refused(&server, "text/csv", csv, 400);
    assert_eq!(detail, "the request line 1: more than 10000 fields");
    let object: Vec<String> = names.iter().map(|name| format!("\"{name}\":1")).collect();
    let body = |more: &str| format!("{{\"rows\": [{{{}{more}}}]}}", object.join(","));
    let detail = refused(&server, "application/json", body(""), 422);
    assert_eq!(detail, "the request: no columns \"a\", \"b\"");
    assert_eq!(server.predict(&body(",\"a\":1,\"b\":2")).status, 200);
    let body = format!("{{\"rows\": [], \"columns\": [\"{}\"]}}", names.join("\",\""));
    assert_eq!(refused(&server, "application/json", body, 413), "more than 10000 columns");
}

#[test]
fn text_that_is_no_table_is_refused() {
    let (_folder, server) = server("");
    let cases: [(&[u8], u16, &str); 8] = [
        (b"", 400, "the request is empty, expected a table"),
        (
            b"\xff\xfea\0",
            400,
            "the request is UTF-16 (convert it: iconv -f utf-16 -t utf-8), expected UTF-8 text (CSV) or Parquet",
        ),
        (b"\x1f\x8b\x08\0", 415, "the body is compressed by gzip, expected the text itself"),
        (b"\x28\xb5\x2f\xfd\0", 415, "the body is compressed by zstd, expected the text itself"),
        (b"PAR1", 415, "the body is Parquet, expected CSV"),
        (
            b"a,b\n1,\xff\n",
            422,
            "line 2, column \"b\": \"\\xff\" is not UTF-8 (is the file Latin-1? convert it: iconv -f latin1 -t utf-8)",
        ),
        (
            b"a,a\n1,2\n",
            400,
            "the request: columns 1 and 2 (counted from 1) are both named \"a\", expected different names",
        ),
        (
            b"a,b\n1,\"2\n",
            400,
            "the request line 2: a quote in the record that starts here is never closed; the rest of the file is one field",
        ),
    ];
    for (body, status, detail) in cases {
        assert_eq!(refused(&server, "text/csv", body, status), detail);
    }
}

#[test]
fn other_types_and_encodings_are_refused() {
    let (_folder, server) = server("");
    let expected = "expected application/json, text/csv or application/vnd.apache.arrow.stream";
    for media in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    {
        let detail = format!("Content-Type is {media:?}, {expected}");
        assert_eq!(refused(&server, media, "a,b\n1,2\n", 415), detail);
    }
    let without = Request::new("POST", "/v1/predict").body("a,b\n1,2\n");
    let detail = format!("there is no Content-Type, {expected}");
    assert_eq!(server.send(&without).problem(415), detail);
    let detail = refused(&server, "text/csv; charset=latin1", "a,b\n1,2\n", 415);
    assert_eq!(detail, "the charset is \"latin1\", expected utf-8");
    let encoded = predict("text/csv", b"\x1f\x8b\x08\0broken").header("Content-Encoding", "gzip");
    let detail = "the body has a Content-Encoding, expected it as it is";
    assert_eq!(server.send(&encoded).problem(415), detail);
    server.answers();
}
