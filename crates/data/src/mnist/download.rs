//! MNIST from its mirrors, by the program `curl`.
//!
//! curl is part of Windows, macOS and nearly every Linux, and knows the system's certificates and proxies.
//! A TLS library would be a tenth of what the example `mnist` compiles.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use sha2::{Digest, Sha256};

use super::files::{FILES, existing};
use crate::error::{DataError, MirrorFailure};
use crate::gzip::decompressed;

const MIRROR_VARIABLE: &str = "KILN_MNIST_MIRROR";
/// The mirrors that TensorFlow Datasets and torchvision use.
const MIRRORS: [&str; 2] = [
    "https://storage.googleapis.com/cvdf-datasets/mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist",
];
/// Longest time to connect, in seconds.
const CONNECT_TIMEOUT: &str = "15";
/// Longest silence in the middle of an answer, in seconds; the whole may take as long as it takes.
const STALL_TIMEOUT: &str = "30";
/// Exit code of curl where an answer ends before the length that it declares.
const CURL_PARTIAL: i32 = 18;
/// How much larger than its payload a compressed file may be before it is given up.
const MAX_OVERHEAD: u64 = 1 << 20;

/// A file that is the right one whatever mirror it comes from.
#[derive(Debug, Clone, Copy)]
struct RemoteFile {
    /// Its name, without `.gz`.
    name: &'static str,
    /// Bytes, decompressed.
    length: u64,
    /// SHA-256 of the decompressed bytes, in lowercase hexadecimal digits. Mirrors may compress
    /// differently, but the payload is the same.
    sha256: &'static str,
}

const MNIST: [RemoteFile; 4] = [
    RemoteFile {
        name: FILES[0],
        length: 47_040_016,
        sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    RemoteFile {
        name: FILES[1],
        length: 60_008,
        sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
    RemoteFile {
        name: FILES[2],
        length: 7_840_016,
        sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
    RemoteFile {
        name: FILES[3],
        length: 10_008,
        sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
];

/// Why one mirror did not give the right file.
#[derive(Debug, thiserror::Error)]
enum MirrorError {
    #[error("the program curl, which fetches it, is not installed")]
    NoCurl,
    #[error("{0}")]
    Request(String),
    #[error("{0}")]
    Transfer(io::Error),
    #[error("the answer is cut off")]
    CutOff,
    #[error("the payload has {found} bytes, expected {expected}")]
    TooShort { found: u64, expected: u64 },
    #[error("the payload has more than the expected {expected} bytes")]
    TooLong { expected: u64 },
    #[error("the SHA-256 of the payload is {found}, expected {expected}")]
    Checksum { found: String, expected: &'static str },
}

impl From<io::Error> for MirrorError {
    fn from(error: io::Error) -> Self {
        // Told by the connection where the server declared a length, by the gzip stream otherwise.
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::CutOff,
            _ => Self::Transfer(error),
        }
    }
}

/// Completes the MNIST files in `folder`, which is made if need be.
pub(crate) fn mnist_into(folder: &Path) -> Result<(), DataError> {
    let mirrors = match env::var_os(MIRROR_VARIABLE).filter(|mirror| !mirror.is_empty()) {
        Some(mirror) => vec![mirror.to_string_lossy().into_owned()],
        None => MIRRORS.map(str::to_owned).to_vec(),
    };
    fetch_missing(&mirrors, &MNIST, folder, STALL_TIMEOUT)
}

/// Fetches those of `files` that `folder` lacks, each from the first of `mirrors` that has it
/// right.
fn fetch_missing(
    mirrors: &[String],
    files: &[RemoteFile],
    folder: &Path,
    stall_timeout: &str,
) -> Result<(), DataError> {
    fs::create_dir_all(folder).map_err(|source| write_error(folder, source))?;
    for file in files {
        if existing(folder, file.name).is_none() {
            fetch(mirrors, file, folder, stall_timeout)?;
        }
    }
    Ok(())
}

fn fetch(
    mirrors: &[String],
    file: &RemoteFile,
    folder: &Path,
    stall_timeout: &str,
) -> Result<(), DataError> {
    let name = format!("{}.gz", file.name);
    let mut failures = Vec::new();
    for mirror in mirrors {
        let url = format!("{}/{name}", mirror.trim_end_matches('/'));
        // Removed when dropped, so a failure at any point leaves nothing behind.
        let part = tempfile::Builder::new()
            .prefix(".fetching-")
            .tempfile_in(folder)
            .map_err(|source| write_error(folder, source))?;
        match transfer(&url, file, part.as_file(), stall_timeout) {
            Ok(()) => {
                let target = folder.join(&name);
                return part
                    .as_file()
                    .sync_all()
                    .and_then(|()| part.persist(&target).map_err(|error| error.error))
                    .map(|_| ())
                    .map_err(|source| write_error(&target, source));
            }
            Err(error) => failures.push(MirrorFailure { url, reason: error.to_string() }),
        }
    }
    Err(DataError::Fetch { file: name, failures })
}

/// Copies what is at `url` into `target` as it comes, and checks that its payload is `file`.
fn transfer(
    url: &str,
    file: &RemoteFile,
    target: impl Write,
    stall_timeout: &str,
) -> Result<(), MirrorError> {
    let (mut curl, body) = curl(url, stall_timeout)?;
    let checked = check_payload(body, file, target);
    if !matches!(checked, Ok(()) | Err(MirrorError::CutOff | MirrorError::TooShort { .. })) {
        // It would go on to write what nobody reads. That it has ended already is no failure.
        let _ = curl.kill();
        curl.wait().map_err(MirrorError::Transfer)?;
        return checked;
    }
    // An answer that did not come whole explains a payload that is not right.
    let output = curl.wait_with_output().map_err(MirrorError::Transfer)?;
    match output.status.code() {
        Some(0) => checked,
        Some(CURL_PARTIAL) => Err(MirrorError::CutOff),
        _ => Err(MirrorError::Request(curl_message(&output.stderr))),
    }
}

/// Starts curl, and gives what it receives.
fn curl(url: &str, stall_timeout: &str) -> Result<(Child, ChildStdout), MirrorError> {
    let mut command = Command::new("curl");
    command.args(["--fail", "--silent", "--show-error", "--location", "--proto", "=http,https"]);
    command.args(["--connect-timeout", CONNECT_TIMEOUT]);
    command.args(["--speed-limit", "1", "--speed-time", stall_timeout, "--url", url]);
    // No proxy: the tests' mirrors are on this machine.
    #[cfg(test)]
    command.env("no_proxy", "127.0.0.1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut curl = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => MirrorError::NoCurl,
        _ => MirrorError::Transfer(error),
    })?;
    let body = curl.stdout.take().expect("stdout is piped");
    Ok((curl, body))
}

/// What curl says of its failure, without its name and code: `curl: (22) …`.
fn curl_message(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let text = text.trim();
    text.split_once(") ").map_or(text, |(_, reason)| reason).to_owned()
}

/// Copies `body` into `target`, and checks that its payload is `file`.
fn check_payload(
    body: impl Read,
    file: &RemoteFile,
    target: impl Write,
) -> Result<(), MirrorError> {
    let limit = file.length.saturating_add(MAX_OVERHEAD);
    let copied = Tee { reader: body, writer: target, read: 0, limit };
    let bar = progress_bar(file);
    let mut length = 0;
    let mut sha256 = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut payload = decompressed(copied)?;
    loop {
        let read = match payload.read(&mut buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        if read == 0 {
            break;
        }
        length += read as u64;
        bar.inc(read as u64);
        if length > file.length {
            return Err(MirrorError::TooLong { expected: file.length });
        }
        sha256.update(&buffer[..read]);
    }
    if length < file.length {
        return Err(MirrorError::TooShort { found: length, expected: file.length });
    }
    let found = format!("{:x}", sha256.finalize());
    if found != file.sha256 {
        return Err(MirrorError::Checksum { found, expected: file.sha256 });
    }
    Ok(())
}

/// A progress bar on stderr, which hides itself where that is not a terminal.
fn progress_bar(file: &RemoteFile) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
        .expect("the template is valid");
    ProgressBar::with_draw_target(Some(file.length), ProgressDrawTarget::stderr())
        .with_style(style)
        .with_message(file.name)
        .with_finish(ProgressFinish::AndClear)
}

/// Writes down everything that is read through it, up to a limit in bytes.
struct Tee<R, W> {
    reader: R,
    writer: W,
    read: u64,
    limit: u64,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.read += read as u64;
        if self.read > self.limit {
            return Err(io::Error::other(format!("the answer has more than {} bytes", self.limit)));
        }
        self.writer.write_all(&buffer[..read])?;
        Ok(read)
    }
}

fn write_error(path: &Path, source: io::Error) -> DataError {
    DataError::Write { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::thread;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::super::files::real_files;

    const PAYLOAD: &[u8] = b"a small payload that is right";
    const FILE: RemoteFile = RemoteFile {
        name: "small",
        length: PAYLOAD.len() as u64,
        sha256: "b484090c3c7812f586663b8419e3433766fdbd68a52bee55e5d015d54afb6aa7",
    };

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("a Vec takes all");
        encoder.finish().expect("a Vec takes all")
    }

    /// An answer that declares `declared` bytes of body and then sends `body`.
    fn answer(status: &str, declared: usize, body: &[u8]) -> Vec<u8> {
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {declared}\r\nConnection: close\r\n\r\n");
        [head.as_bytes(), body].concat()
    }

    fn ok(body: &[u8]) -> Vec<u8> {
        answer("200 OK", body.len(), body)
    }

    /// A server that gives the same answer to every request for `/small.gz`, and its address.
    fn serve(response: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let request = BufReader::new(&stream).lines();
                let request: Vec<String> = request
                    .map(|line| line.expect("text"))
                    .take_while(|line| !line.is_empty())
                    .collect();
                assert_eq!(request[0], "GET /small.gz HTTP/1.1");
                // A client that has seen enough hangs up.
                let _ = stream.write_all(&response);
            }
        });
        format!("http://{address}")
    }

    fn fetch_from(mirrors: &[String], folder: &Path) -> Result<(), DataError> {
        fetch_missing(mirrors, &[FILE], folder, STALL_TIMEOUT)
    }

    fn names_in(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let name = |entry: io::Result<fs::DirEntry>| {
            entry.expect("an entry").file_name().to_string_lossy().into_owned()
        };
        entries.map(name).collect()
    }

    /// Asserts that a mirror with this answer is refused for `reason` and leaves nothing behind.
    fn assert_refused(response: Vec<u8>, reason: &str) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mirror = serve(response);
        let error =
            fetch_from(std::slice::from_ref(&mirror), folder.path()).expect_err("must be refused");
        assert_eq!(
            error.to_string(),
            format!("cannot fetch small.gz: {mirror}/small.gz: {reason}")
        );
        assert!(names_in(folder.path()).is_empty());
    }

    #[test]
    fn right_file_is_kept_as_it_came() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let inner = folder.path().join("a/b");
        for body in [gzip(PAYLOAD), PAYLOAD.to_vec()] {
            fetch_from(&[serve(ok(&body)) + "/"], &inner).expect("fetched");
            assert_eq!(names_in(&inner), ["small.gz"]);
            assert_eq!(fs::read(inner.join("small.gz")).expect("a file"), body);
            fs::remove_dir_all(&inner).expect("removed");
        }
    }

    #[test]
    fn file_that_is_there_is_not_fetched_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("small"), "mine").expect("a file");
        fetch_from(&[], folder.path()).expect("nothing to do");
        assert_eq!(names_in(folder.path()), ["small"]);
    }

    #[test]
    fn cut_off_answer_is_refused() {
        let packed = gzip(PAYLOAD);
        for end in [1, packed.len() / 2, packed.len() - 1] {
            assert_refused(answer("200 OK", packed.len(), &packed[..end]), "the answer is cut off");
        }
        // Without a length to compare with, the end of the gzip stream shows it.
        for end in [packed.len() / 2, packed.len() - 1] {
            assert_refused(ok(&packed[..end]), "the answer is cut off");
        }
    }

    #[test]
    fn wrong_payload_is_refused() {
        assert_refused(ok(&gzip(&PAYLOAD[1..])), "the payload has 28 bytes, expected 29");
        assert_refused(
            ok(&gzip(&[PAYLOAD, &[0; 100_000]].concat())),
            "the payload has more than the expected 29 bytes",
        );
        assert_refused(
            ok(&gzip(&[b'x'; 29])),
            "the SHA-256 of the payload is \
             1702245ac78581c3218750b9aa8c45403e5ac485bd41b428f79a60f7b11c379b, expected \
             b484090c3c7812f586663b8419e3433766fdbd68a52bee55e5d015d54afb6aa7",
        );
        let mut damaged = gzip(PAYLOAD);
        let checksum = damaged.len() - 8;
        damaged[checksum] ^= 1;
        assert_refused(ok(&damaged), "corrupt gzip stream does not have a matching checksum");
    }

    #[test]
    fn endless_answer_is_refused() {
        // Gzip members without payload, one after the other.
        assert_refused(ok(&gzip(b"").repeat(60_000)), "the answer has more than 1048605 bytes");
    }

    #[test]
    fn missing_file_is_refused() {
        assert_refused(
            answer("404 Not Found", 4, b"none"),
            "The requested URL returned error: 404",
        );
    }

    #[test]
    fn silent_mirror_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mirror = format!("http://{}", listener.local_addr().expect("an address"));
        let folder = tempfile::tempdir().expect("a temporary folder");
        // The system accepts the connection; nobody answers.
        let error = fetch_missing(std::slice::from_ref(&mirror), &[FILE], folder.path(), "1")
            .expect_err("must be refused");
        assert_eq!(
            error.to_string(),
            format!(
                "cannot fetch small.gz: {mirror}/small.gz: Operation too slow. Less than 1 bytes/sec \
                 transferred the last 1 seconds"
            )
        );
        assert!(names_in(folder.path()).is_empty());
    }

    #[test]
    fn next_mirror_is_tried() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mirrors = [
            serve(answer("500 Internal Server Error", 0, b"")),
            serve(ok(b"")),
            serve(ok(&gzip(PAYLOAD))),
        ];
        fetch_from(&mirrors, folder.path()).expect("fetched from the third");
        assert_eq!(names_in(folder.path()), ["small.gz"]);
    }

    #[test]
    fn error_names_the_reason_of_each_mirror() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mirrors = [serve(answer("404 Not Found", 0, b"")), serve(ok(b""))];
        let error = fetch_from(&mirrors, folder.path()).expect_err("must be refused");
        assert_eq!(
            error.to_string(),
            format!(
                "cannot fetch small.gz: {}/small.gz: The requested URL returned error: 404; {}/small.gz: the payload \
                 has 0 bytes, expected 29",
                mirrors[0], mirrors[1]
            )
        );
        assert!(names_in(folder.path()).is_empty());
    }

    #[test]
    fn folder_that_cannot_be_made_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let inner = folder.path().join("file/folder");
        fs::write(folder.path().join("file"), "").expect("a file");
        let error = fetch_from(&[], &inner).expect_err("must be refused");
        assert_eq!(error.to_string(), format!("cannot write {}", inner.display()));
    }

    #[test]
    fn real_mnist_is_what_the_mirrors_must_give() {
        let Some(paths) = real_files() else { return };
        for (path, file) in paths.iter().zip(MNIST) {
            let reader = fs::File::open(path).expect("a file");
            let mut payload = Vec::new();
            decompressed(reader)
                .and_then(|mut reader| reader.read_to_end(&mut payload))
                .expect("valid gzip");
            assert_eq!(payload.len() as u64, file.length);
            assert_eq!(format!("{:x}", Sha256::digest(&payload)), file.sha256);
        }
    }
}
