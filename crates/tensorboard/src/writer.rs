use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::histogram::histogram;
use crate::hyperparameter::{self, HyperParameter};
use crate::message::{
    DataType, Event, Image, PluginData, Summary, SummaryMetadata, SummaryValue, Tensor,
    TensorShape, Value, What,
};
use crate::record::frame;

/// Bytes. An epoch's scalars and histograms are one or two writes.
const BUFFER: usize = 64 * 1024;

/// Writes one event file, which TensorBoard reads while it grows.
///
/// A tag names a series (`loss/train`): it belongs to one kind of value only, and what precedes its first
/// `/` groups it in the dashboards. Steps are the unit of the horizontal axis, epochs or iterations; each
/// value also carries the time at which it was written.
///
/// Values are buffered: TensorBoard sees them after [`flush`](Self::flush) or [`end`](Self::end), or
/// once 64 KiB have gathered. Dropping the writer flushes too, but its error is lost.
///
/// # Errors
///
/// Every method gives those of the file system, and an error of kind
/// [`InvalidInput`](io::ErrorKind::InvalidInput) for a step above `i64::MAX`.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: BufWriter<File>,
    /// The last record; kept for its memory.
    record: Vec<u8>,
    /// Whether a session was started whose end isn't written yet.
    in_session: bool,
}

impl EventWriter {
    /// Makes the folder, if it isn't there, and a new event file in it. Its name is
    /// `events.out.tfevents.<seconds since 1970>.<host>.<process>.<number>`, which no other file has.
    ///
    /// # Errors
    ///
    /// Those of making the folder and the file, which name neither.
    pub fn create(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let (path, file) = new_file(folder)?;
        let file = BufWriter::with_capacity(BUFFER, file);
        let mut writer = Self { path, file, record: Vec::new(), in_session: false };
        writer.event(0, What::FileVersion("brain.Event:2".to_owned()))?;
        writer.flush()?;
        Ok(writer)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A point of a curve.
    ///
    /// The value is rounded to `f32`: TensorBoard keeps no more. One that is not finite is a mark in the
    /// Scalars dashboard, in place of a point.
    pub fn scalar(&mut self, tag: &str, step: u64, value: f64) -> io::Result<()> {
        self.value(tag, step, Value::Scalar(value as f32))
    }

    /// How values are distributed: weights or gradients of a layer, say.
    ///
    /// The finite ones are counted in 30 buckets of equal width between the least and the greatest; a
    /// value within rounding of an edge may be in either bucket. Least, greatest, number, sum and sum of
    /// squares are computed in `f64`. Values that are not finite are counted nowhere; if there are no
    /// others, or none at all, the histogram has no buckets.
    pub fn histogram(&mut self, tag: &str, step: u64, values: &[f32]) -> io::Result<()> {
        self.value(tag, step, Value::Histo(histogram(values)))
    }

    /// An image of `width` by `height` pixels, as a PNG file, which isn't checked.
    ///
    /// # Errors
    ///
    /// As above, and `InvalidInput` for a width or height above `i32::MAX`, which is a PNG's own limit.
    pub fn image(
        &mut self,
        tag: &str,
        step: u64,
        png: &[u8],
        width: u32,
        height: u32,
    ) -> io::Result<()> {
        let pixels = |name: &str, pixels: u32| {
            i32::try_from(pixels).map_err(|_| {
                let text = format!("image {tag:?} has a {name} of {pixels}, above {}", i32::MAX);
                io::Error::new(io::ErrorKind::InvalidInput, text)
            })
        };
        let image = Image {
            height: pixels("height", height)?,
            width: pixels("width", width)?,
            colorspace: channels(png),
            encoded_image_string: png.to_vec(),
        };
        self.value(tag, step, Value::Image(image))
    }

    /// A text, shown as Markdown.
    pub fn text(&mut self, tag: &str, step: u64, markdown: &str) -> io::Result<()> {
        // Without dimensions: of a vector, even of one text, TensorBoard makes a table.
        let tensor = Tensor {
            dtype: DataType::String.into(),
            tensor_shape: Some(TensorShape::default()),
            string_val: vec![markdown.as_bytes().to_vec()],
        };
        let plugin_data = PluginData { plugin_name: "text".to_owned(), content: Vec::new() };
        let summary = SummaryValue {
            tag: tag.to_owned(),
            metadata: Some(SummaryMetadata { plugin_data: Some(plugin_data) }),
            value: Some(Value::Tensor(tensor)),
        };
        self.summary(step, vec![summary])
    }

    /// The settings of the run and the scalars by which runs are compared: a row in the HParams dashboard.
    ///
    /// Write them once, before the first value: TensorBoard keeps the first. `name` is the row: runs of
    /// one name are taken for repetitions and their metrics averaged. Names of values are distinct; of
    /// equal ones the last counts. `metric_tags` are tags of scalars of this run.
    ///
    /// The columns of the dashboard, values and metrics, are those of one run under TensorBoard's folder,
    /// whichever it finds first. So runs that are to be compared should name the same ones, and a value
    /// that is a number in one of them should be a number in all: text in a column of numbers is shown,
    /// but filtering the column fails.
    pub fn hyperparameters(
        &mut self,
        name: &str,
        values: &[(String, HyperParameter)],
        metric_tags: &[&str],
    ) -> io::Result<()> {
        let seconds = now();
        let summary = vec![
            hyperparameter::experiment(values, metric_tags, seconds),
            hyperparameter::session_start(name, values, seconds),
        ];
        self.summary(0, summary)?;
        self.in_session = true;
        Ok(())
    }

    /// Ends the run: if it has hyperparameters, its row says that it succeeded. Flushes.
    ///
    /// A run whose end is never written, for it failed or was killed, has no status. Values may still
    /// follow.
    pub fn end(&mut self) -> io::Result<()> {
        if self.in_session {
            self.summary(0, vec![hyperparameter::session_end(now())])?;
            self.in_session = false;
        }
        self.flush()
    }

    /// Hands all that was written to the operating system, where TensorBoard sees it.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn value(&mut self, tag: &str, step: u64, value: Value) -> io::Result<()> {
        let summary = SummaryValue { tag: tag.to_owned(), metadata: None, value: Some(value) };
        self.summary(step, vec![summary])
    }

    fn summary(&mut self, step: u64, value: Vec<SummaryValue>) -> io::Result<()> {
        self.event(step, What::Summary(Summary { value }))
    }

    fn event(&mut self, step: u64, what: What) -> io::Result<()> {
        let step = i64::try_from(step).map_err(|_| {
            let text = format!("step {step} is above {}", i64::MAX);
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })?;
        frame(&Event { wall_time: now(), step, what: Some(what) }, &mut self.record);
        self.file.write_all(&self.record)
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    // A clock that is set before 1970 is no reason to lose a run.
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64()
}

fn new_file(folder: &Path) -> io::Result<(PathBuf, File)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let (seconds, host, process) = (now() as u64, host(), std::process::id());
    loop {
        // TensorBoard reads a folder's files in order of their names, which begins with the time.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("events.out.tfevents.{seconds}.{host}.{process}.{number}"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            // Containers that share a folder can share names and processes' numbers.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            file => return file.map(|file| (path, file)),
        }
    }
}

/// The machine's name, with a dash for each character that a file's name had better not hold.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::env::var("HOSTNAME"))
        .or_else(|_| std::env::var("COMPUTERNAME"))
        .unwrap_or_default();
    let plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    let name: String = name
        .trim()
        .chars()
        .map(|character| if plain(character) { character } else { '-' })
        .collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// Of a PNG, by the colour type in its header.
fn channels(png: &[u8]) -> i32 {
    match png.get(25) {
        Some(0) => 1,
        Some(4) => 2,
        Some(6) => 4,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;

    use super::*;
    use crate::message::Histogram;

    fn read(path: &Path) -> Vec<Event> {
        let bytes = fs::read(path).unwrap();
        let mut rest = bytes.as_slice();
        let mut events = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk() {
            let length = u64::from_le_bytes(*length) as usize;
            events.push(Event::decode(&after[4..4 + length]).unwrap());
            rest = &after[4 + length + 4..];
        }
        events
    }

    fn values(path: &Path) -> Vec<(i64, SummaryValue)> {
        let events = read(path).into_iter().filter_map(|event| match event.what.unwrap() {
            What::FileVersion(_) => None,
            What::Summary(summary) => Some((event.step, summary.value)),
        });
        events
            .flat_map(|(step, values)| values.into_iter().map(move |value| (step, value)))
            .collect()
    }

    #[test]
    fn a_new_file_is_in_a_new_folder_and_names_its_version() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs/first");
        let before = now().floor();
        let writer = EventWriter::create(&runs).unwrap();
        assert_eq!(writer.path().parent(), Some(runs.as_path()));
        let name = writer.path().file_name().unwrap().to_str().unwrap();
        let seconds = name.strip_prefix("events.out.tfevents.").unwrap().split('.').next().unwrap();
        assert!((before..=now()).contains(&seconds.parse().unwrap()));
        assert!(name.contains(&format!(".{}.", std::process::id())));
        let [event] = read(writer.path()).try_into().unwrap();
        assert_eq!(event.what, Some(What::FileVersion("brain.Event:2".to_owned())));
        assert!((before..=now()).contains(&event.wall_time));
    }

    #[test]
    fn files_of_one_folder_have_names_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let paths: BTreeSet<_> =
            (0..5).map(|_| EventWriter::create(folder.path()).unwrap().path().to_owned()).collect();
        assert_eq!(paths.len(), 5);
    }

    #[test]
    fn values_come_back_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(folder.path()).unwrap();
        writer.scalar("loss", 0, 0.0).unwrap();
        writer.scalar("loss", 1 << 40, 0.1).unwrap();
        writer.histogram("weights", 2, &[1.0, 1.0]).unwrap();
        writer.text("notes", 3, "**é**").unwrap();
        writer.flush().unwrap();
        let [zero, scalar, weights, text] = values(writer.path()).try_into().unwrap();
        assert_eq!((zero.0, zero.1.value), (0, Some(Value::Scalar(0.0))));
        assert_eq!((scalar.0, scalar.1.value), (1 << 40, Some(Value::Scalar(0.1))));
        assert_eq!(scalar.1.tag, "loss");
        let histogram = Histogram {
            min: 1.0,
            max: 1.0,
            num: 2.0,
            sum: 2.0,
            sum_squares: 2.0,
            bucket_limit: vec![1.0],
            bucket: vec![2.0],
        };
        assert_eq!((weights.0, weights.1.value), (2, Some(Value::Histo(histogram))));
        let Some(Value::Tensor(tensor)) = text.1.value else { panic!("{text:?}") };
        assert_eq!((text.0, tensor.string_val), (3, vec!["**é**".as_bytes().to_vec()]));
    }

    #[test]
    fn a_session_ends_once_and_only_if_it_began() {
        let folder = tempfile::tempdir().unwrap();
        let tags = |path: &Path| -> Vec<String> {
            values(path).into_iter().map(|(_, value)| value.tag).collect()
        };
        let mut writer = EventWriter::create(folder.path()).unwrap();
        writer.end().unwrap();
        assert_eq!(tags(writer.path()), [""; 0]);
        writer.hyperparameters("a", &[], &[]).unwrap();
        writer.end().unwrap();
        writer.end().unwrap();
        let expected = ["experiment", "session_start_info", "session_end_info"];
        assert_eq!(tags(writer.path()), expected.map(|tag| format!("_hparams_/{tag}")));
    }

    #[test]
    fn steps_and_pixels_have_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(folder.path()).unwrap();
        let error = writer.scalar("loss", 1 << 63, 0.5).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "step 9223372036854775808 is above 9223372036854775807");
        let error = writer.image("plot", 0, &[], 1, 1 << 31).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(
            error.to_string(),
            "image \"plot\" has a height of 2147483648, above 2147483647"
        );
        writer.flush().unwrap();
        assert!(values(writer.path()).is_empty());
    }

    #[test]
    fn a_folder_that_is_a_file_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(EventWriter::create(file.path()).is_err());
    }
}
