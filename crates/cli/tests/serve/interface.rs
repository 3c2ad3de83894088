//! What is said about the model, who may ask, and how errors look.

use std::fs;

use serde_json::{Value, json};

use crate::common::Folder;
use crate::server::{Request, Server, predict};

#[test]
fn the_model_is_described() {
    let folder = Folder::with_model();
    let server = Server::start(&folder, "--max-rows 7");
    let model = server.get("/v1/model");
    assert_eq!(model.header("content-type"), Some("application/json"));
    let model = model.json();
    assert_eq!(model["name"], "model");
    assert_eq!(model["task"], "binary");
    assert_eq!((&model["target"], &model["classes"]), (&json!(["class"]), &json!(["x", "y"])));
    assert_eq!(model["limits"], json!({"body_bytes": 16 << 20, "rows": 7}));
    assert_eq!(model["training"]["source"], "good.csv");
    assert_eq!(model["image"], Value::Null);
    let columns = model["columns"].as_array().unwrap();
    assert_eq!(columns.len(), 2);
    assert_eq!((&columns[0]["name"], &columns[0]["kind"]), (&json!("a"), &json!("numeric")));
    assert!(columns.iter().all(|column| column["used"] == true && column["median"].is_f64()));
}

#[test]
fn columns_left_out_are_described_and_need_not_be_sent() {
    let folder = Folder::new();
    let row = |row: usize| {
        let kind = ["red", "green", "blue"][row % 3];
        format!("{kind},{},same,{}\n", row.is_multiple_of(2), ["u", "v"][row / 2 % 2])
    };
    let rows: String = (0..60).map(row).collect();
    folder.write("kinds.csv", format!("colour,even,constant,class\n{rows}"));
    folder.succeeds(
        "train kinds.csv --target class --categorical constant -o model.safetensors --epochs 1 -q",
    );
    let server = Server::start(&folder, "");
    assert_eq!(
        server.get("/v1/model").json()["columns"],
        json!([
            {"name": "colour", "kind": "categorical", "used": true,
             "categories": ["blue", "green", "red"]},
            {"name": "even", "kind": "boolean", "used": true},
            {"name": "constant", "kind": "categorical", "used": false},
        ])
    );
    let by_name = server.predict(r#"{"rows": [{"colour": "red", "even": true}]}"#);
    let by_place = server.predict(r#"{"rows": [["red", "yes", [1]]]}"#);
    assert_eq!((by_name.status, by_name.text()), (200, by_place.text()));
}

#[test]
fn a_table_of_pixels_is_an_image() {
    let folder = Folder::new();
    let names: String = (0..64).map(|pixel| format!("pixel{pixel},")).collect();
    let mut text = format!("name,{names}class\n");
    for row in 0..40 {
        text += &format!("image-{row},");
        for pixel in 0..64 {
            // One of the margin is always empty.
            let ink = if pixel == 0 { 0 } else { (row * 7 + pixel * 3) % 17 };
            text += &format!("{ink},");
        }
        text += ["dark\n", "light\n"][row % 2];
    }
    folder.write("digits.csv", text);
    folder.succeeds("train digits.csv --target class -o model.safetensors --epochs 1 -q");
    let server = Server::start(&folder, "");
    let model = server.get("/v1/model").json();
    assert_eq!(model["image"], json!({"width": 8, "height": 8, "maximum": 16}));
    let columns = model["columns"].as_array().unwrap();
    assert_eq!(columns.len(), 63);
    assert_eq!((&columns[0]["name"], &columns[0]["pixel"]), (&json!("pixel1"), &json!(1)));
    assert_eq!(columns[62]["pixel"], 63);
}

#[test]
fn the_openapi_description_names_paths_that_exist() {
    let folder = Folder::with_model();
    let server = Server::start_with(&folder, "", &[("KILN_TOKEN", "s3cret")]);
    let openapi = server.get("/openapi.json").json();
    assert_eq!(openapi["openapi"], "3.1.0");
    let paths = openapi["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 6);
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap() {
            let mut request = Request::new(&method.to_uppercase(), path);
            if operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty()) {
                assert_eq!(server.send(&request).status, 401, "{path}");
                request = request.header("Authorization", "Bearer s3cret");
            }
            if method == "post" {
                let body = r#"{"rows": [{"a": 1, "b": 2}]}"#;
                request = request.header("Content-Type", "application/json").body(body);
            }
            let response = server.send(&request);
            assert_eq!(response.status, 200, "{path}");
            let media = response.header("content-type").unwrap().split(';').next().unwrap();
            let content = &operation["responses"]["200"]["content"];
            assert!(content[media].is_object(), "{path}: {media}");
        }
    }
    // Every reference leads somewhere.
    let text = openapi.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(openapi.pointer(pointer).is_some(), "{pointer}");
    }
}

#[test]
fn a_token_is_asked_of_those_who_want_the_model() {
    let folder = Folder::with_model();
    folder.write("token", "s3cret\n");
    for (args, env) in [("--token-file token", vec![]), ("", vec![("KILN_TOKEN", "s3cret")])] {
        let server = Server::start_with(&folder, args, &env);
        let ask = predict("application/json", r#"{"rows": []}"#);
        for path in ["/v1/model", "/metrics"] {
            let refused = server.get(path);
            assert_eq!(refused.header("www-authenticate"), Some("Bearer"), "{path}");
            let detail =
                "expected the header `Authorization: Bearer TOKEN` with the server's token";
            assert_eq!(refused.problem(401), detail, "{path}");
        }
        assert_eq!(server.send(&ask).status, 401);
        for wrong in ["Bearer s3cre", "Bearer s3cret2", "Basic s3cret", "s3cret"] {
            let refused = server.send(&ask.clone().header("Authorization", wrong));
            assert_eq!(refused.status, 401, "{wrong}");
        }
        assert_eq!(server.send(&ask.header("Authorization", "Bearer s3cret")).status, 200);
        for path in
            ["/", "/page.js", "/drawing.js", "/page.css", "/healthz", "/readyz", "/openapi.json"]
        {
            assert_eq!(server.get(path).status, 200, "{path}");
        }
    }
}

#[test]
fn what_is_wrong_with_the_command_is_said() {
    let folder = Folder::with_model();
    folder.fails(
        "serve none.safetensors",
        "cannot read none.safetensors: No such file or directory (os error 2)",
    );
    folder.fails(
        "serve model.safetensors --token-file none",
        "cannot read none: No such file or directory (os error 2)",
    );
    folder.write("blank", "\n");
    folder.fails("serve model.safetensors --token-file blank", "blank: the token is empty");
    let taken = Server::start(&folder, "");
    let address = taken.address;
    folder.fails(
        &format!("serve model.safetensors --listen {address}"),
        &format!("cannot listen on {address}: Address already in use (os error 98)"),
    );
    for (args, message) in [
        (
            "--timeout 0",
            "invalid value '0' for '--timeout <SECONDS>': expected seconds above 0, 86400 at most",
        ),
        (
            "--drain x",
            "invalid value 'x' for '--drain <SECONDS>': expected seconds above 0, 86400 at most",
        ),
    ] {
        let run = folder.run(&format!("serve model.safetensors {args}"));
        assert_eq!(
            (run.code, run.stderr.lines().next()),
            (Some(2), Some(&*format!("error: {message}")))
        );
    }
}

#[test]
fn whoever_listens_to_the_world_is_warned() {
    let folder = Folder::with_model();
    let mut server = Server::start(&folder, "--listen 0.0.0.0:0");
    let warning =
        "warning: whoever reaches 0.0.0.0:0 can ask the model: `--token-file` keeps others out";
    assert_eq!(server.says(), warning);
    server.signal("TERM");
    assert_eq!(server.wait(), (true, vec!["stopping: requests in flight are answered".to_owned()]));
    let env = [("KILN_TOKEN", "s3cret")];
    let mut server = Server::start_with(&folder, "--listen 0.0.0.0:0 -q", &env);
    server.signal("INT");
    assert_eq!(server.wait(), (true, vec![]));
}

#[test]
fn every_answer_has_the_headers_that_keep_browsers_safe() {
    let folder = Folder::with_model();
    let server = Server::start(&folder, "");
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                  img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    for path in ["/", "/v1/model", "/v1/predict", "/nothing", "/metrics", "/page.css"] {
        let response = server.get(path);
        assert_eq!(response.header("content-security-policy"), Some(policy), "{path}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(response.header("referrer-policy"), Some("no-referrer"), "{path}");
    }
    let page = server.get("/");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let file = fs::read_to_string("../serve/page/index.html").unwrap();
    assert_eq!(page.text(), file);
}

#[test]
fn requests_are_counted_and_with_verbose_told() {
    let folder = Folder::with_model();
    let server = Server::start(&folder, "-v");
    server.answers();
    assert_eq!(server.get("/nothing").status, 404);
    let mut lines = [server.says(), server.says()];
    lines.sort();
    assert!(lines[0].starts_with("GET /nothing 404 "), "{lines:?}");
    assert!(lines[1].starts_with("POST /v1/predict 200 "), "{lines:?}");
    let metrics = server.get("/metrics");
    let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(metrics.header("content-type"), Some(form));
    for line in [
        "kiln_requests_total{route=\"/v1/predict\",status=\"200\"} 1",
        "kiln_requests_total{route=\"other\",status=\"404\"} 1",
        "kiln_rows_total 1",
        "kiln_batch_rows_count 1",
        "kiln_queued_rows 0",
        "# EOF",
    ] {
        assert!(metrics.text().lines().any(|found| found == line), "{line}: {}", metrics.text());
    }
}

#[test]
fn errors_say_what_was_found_and_where() {
    let folder = Folder::with_model();
    let server = Server::start(&folder, "");
    let send = |method: &str, path: &str| server.send(&Request::new(method, path));
    assert_eq!(send("GET", "/v2").problem(404), "there is nothing at /v2");
    let wrong = send("PUT", "/v1/model");
    assert_eq!(wrong.problem(405), "/v1/model does not answer PUT, expected GET");
    let wrong = send("GET", "/v1/predict");
    assert_eq!(wrong.header("allow"), Some("POST"));
    assert_eq!(wrong.problem(405), "/v1/predict does not answer GET, expected POST");

    let request = predict("application/json", "{\"rows\": []}");
    let detail = server.send(&request.clone().header("Accept", "text/html")).problem(406);
    assert_eq!(
        detail,
        "Accept takes none of application/json, text/csv and application/vnd.apache.arrow.stream"
    );
    let mut request = Request::new("POST", "/v1/predict?x=1").header("Content-Type", "text/csv");
    request = request.body("a,b\n1,2\n");
    assert_eq!(server.send(&request).problem(400), "the query is \"x=1\", expected keep=all");

    let problem = server.predict(r#"{"rows": [{"a": 1, "bb": 2}]}"#);
    let detail = "the request: no column \"b\"; did you mean \"bb\"?";
    assert_eq!(problem.problem(422), detail);
    assert_eq!(problem.json()["column"], "b");

    let problem = server.send(&predict("text/csv", "a,b\n1,2\n1,two\nx,3\n1\n"));
    assert_eq!(problem.problem(422), "line 3, column \"b\": \"two\" is not a number");
    assert_eq!(
        problem.json()["errors"],
        json!([
            {"line": 3, "column": "b", "detail": "\"two\" is not a number"},
            {"line": 4, "column": "a", "detail": "\"x\" is not a number"},
            {"line": 5, "detail": "1 field, expected 2 as in the header"},
        ])
    );
    let problem = server.predict(r#"{"rows": [[1, 2], [1, "two"]]}"#);
    assert_eq!(problem.problem(422), "row 2, column \"b\": \"two\" is not a number");
    let problem = problem.json();
    assert_eq!((&problem["row"], &problem["column"]), (&json!(2), &json!("b")));
    assert_eq!(problem.get("errors"), None);

    // However many there are, a hundred are told.
    let many = format!("{{\"rows\": [{}]}}", vec!["[\"x\", 1]"; 500].join(","));
    assert_eq!(server.predict(&many).json()["errors"].as_array().unwrap().len(), 100);
    let many = "a,b\n".to_owned() + &"x,1\n".repeat(500);
    let many = server.send(&predict("text/csv", many)).json();
    assert_eq!(many["errors"].as_array().unwrap().len(), 100);
    server.answers();
}
