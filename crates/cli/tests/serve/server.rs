//! A running `kiln serve`, and a client that can misbehave.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Mutex, mpsc},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::common::Folder;

/// For whatever should happen at once: so that a test which fails ends.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    said: Mutex<mpsc::Receiver<String>>,
}

impl Server {
    /// Serves `model.safetensors` of a folder on a port of its own.
    pub(crate) fn start(folder: &Folder, args: &str) -> Self {
        Self::start_with(folder, args, &[])
    }

    pub(crate) fn start_with(folder: &Folder, args: &str, env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kiln"));
        command.args(["serve", "model.safetensors"]).args(args.split_whitespace());
        if !args.contains("--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        Self::run(folder, command.env_remove("KILN_TOKEN").envs(env.iter().copied()))
    }

    /// The same with few files that may be open.
    pub(crate) fn start_with_files(folder: &Folder, files: usize) -> Self {
        let script =
            format!("ulimit -n {files}; exec \"$0\" serve model.safetensors --listen 127.0.0.1:0");
        let mut command = Command::new("sh");
        Self::run(folder, command.args(["-c", &script, env!("CARGO_BIN_EXE_kiln")]))
    }

    fn run(folder: &Folder, command: &mut Command) -> Self {
        let mut child = command
            .current_dir(folder.path("."))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kiln runs");
        let (sender, said) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut first = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        stdout.read_line(&mut first).expect("reads");
        let address = first.trim().strip_prefix("listening on http://");
        let address = address.and_then(|address| address.parse().ok());
        let Some(address) = address else {
            let said: Vec<String> = said.iter().collect();
            panic!("kiln serve said {first:?} and {said:?}");
        };
        Self { child, address, said: Mutex::new(said) }
    }

    /// Waits for the next line on standard error.
    #[track_caller]
    pub(crate) fn says(&self) -> String {
        self.said
            .lock()
            .expect("no panic")
            .recv_timeout(PATIENCE)
            .expect("the server says something")
    }

    /// Of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends TERM, HUP, …
    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().expect("kill runs");
        assert!(sent.success(), "kill -s {name}");
    }

    /// Waits for its end: whether that was a good one, and what it said since it was last asked.
    pub(crate) fn wait(&mut self) -> (bool, Vec<String>) {
        let status = self.child.wait().expect("ends");
        (status.success(), self.said.lock().expect("no panic").iter().collect())
    }

    pub(crate) fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.address).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        Connection(BufReader::new(stream))
    }

    /// One request on a connection of its own.
    #[track_caller]
    pub(crate) fn send(&self, request: &Request) -> Response {
        self.connect().send(request)
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Response {
        self.send(&Request::new("GET", path))
    }

    /// Predicts JSON.
    #[track_caller]
    pub(crate) fn predict(&self, body: &str) -> Response {
        self.send(&predict("application/json", body))
    }

    /// What another client would see: the server is well.
    #[track_caller]
    pub(crate) fn answers(&self) {
        let response = self.predict(r#"{"rows": [{"a": 1, "b": 2}]}"#);
        assert_eq!(response.status, 200, "{}", response.text());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `POST /v1/predict`.
pub(crate) fn predict(content_type: &str, body: impl AsRef<[u8]>) -> Request {
    Request::new("POST", "/v1/predict").header("Content-Type", content_type).body(body)
}

#[derive(Debug, Clone)]
pub(crate) struct Request {
    head: String,
    body: Option<Vec<u8>>,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self { head: format!("{method} {path} HTTP/1.1\r\nHost: kiln\r\n"), body: None }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head.clone().into_bytes();
        if let Some(body) = &self.body {
            bytes.extend(format!("Content-Length: {}\r\n", body.len()).bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(self.body.iter().flatten());
        bytes
    }
}

pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    /// A request, and its answer.
    #[track_caller]
    pub(crate) fn send(&mut self, request: &Request) -> Response {
        // The server may answer, and close, before it has read all.
        let _ = self.write(&request.bytes());
        self.response()
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    #[track_caller]
    pub(crate) fn response(&mut self) -> Response {
        self.try_response().expect("an answer")
    }

    /// The next answer; `None` where the server closes the connection instead.
    #[track_caller]
    pub(crate) fn try_response(&mut self) -> Option<Response> {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap_or(0) == 0 {
                assert!(head.is_empty(), "an answer is cut off: {head:?}");
                return None;
            }
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let status = head[0].split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut response = Response { status: status.expect("a status"), head, body: Vec::new() };
        let length = response.header("content-length").map(|n| n.parse().expect("a number"));
        response.body = vec![0; length.unwrap_or(0)];
        self.0.read_exact(&mut response.body).expect("the whole body");
        Some(response)
    }

    /// Whether the server has closed it, or does so in good time.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0) | Err(_))
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    head: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What is wrong, as RFC 9457 has it.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> String {
        let problem = self.json();
        assert_eq!(self.status, status, "{problem}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!((&problem["status"], &problem["type"]), (&status.into(), &"about:blank".into()));
        problem["detail"].as_str().expect("a detail").to_owned()
    }
}
