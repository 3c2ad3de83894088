//! A run as TensorBoard shows it.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use kiln_report::CellFormat;
use kiln_tensorboard::{EventWriter, HyperParameter};
use kiln_train::{ConfusionMatrix, EpochRecord, Event, Network, Observer, RunInfo, TrainError};

use crate::assessment::charts::{MOST_CELLS, chart, confusion_plot};

/// Histograms may take one part in so many of the time.
const HISTOGRAM_SHARE: u32 = 100;
/// How often what was written is there to be read.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// The columns by which runs are compared.
const METRICS: [&str; 3] = ["loss/train", "loss/valid", "accuracy/valid"];

/// Writes a run for TensorBoard: every number of each epoch, histograms of weights and gradients, the
/// hyperparameters, and at the end the confusion matrix of the validation rows as a picture.
///
/// Histograms are written after the first epoch, and then as often as they take at most a hundredth of the
/// time, unless [`with_histograms_every`](Self::with_histograms_every) says how often. Each restart is a run
/// of its own, in a folder below.
///
/// | Tag | |
/// |---|---|
/// | `loss/train`, `loss/valid` | mean nats per row |
/// | `accuracy/train`, `accuracy/valid` | share of rows that are right |
/// | `learning_rate` | of the epoch's last iteration |
/// | `progress/iterations`, `progress/best`, `progress/seconds`, `progress/rows_per_second`, `progress/waiting` | as in [`EpochRecord`] |
/// | `weights/NAME`, `gradients/NAME` | of each tensor of the network, by its name in the model file |
/// | `confusion` | of the best epoch; of up to 50 classes |
///
/// The step is the epoch, counted from 1.
#[derive(Debug)]
pub struct TensorBoard {
    folder: PathBuf,
    classes: Vec<String>,
    hyperparameters: Vec<(String, HyperParameter)>,
    histograms_every: Option<usize>,
    events: Option<EventWriter>,
    flushed: Instant,
    /// When the next histograms are due, where nothing is said.
    due: Instant,
    best: Option<(usize, ConfusionMatrix)>,
    is_best: bool,
}

impl TensorBoard {
    /// Into a folder, which is made; `classes` name what the network tells apart.
    ///
    /// # Errors
    ///
    /// [`TrainError::Write`] if the folder can't be made.
    pub fn create(folder: impl AsRef<Path>, classes: Vec<String>) -> Result<Self, TrainError> {
        let folder = folder.as_ref().to_owned();
        std::fs::create_dir_all(&folder)
            .map_err(|source| TrainError::Write { path: folder.clone(), source })?;
        let now = Instant::now();
        Ok(Self {
            folder,
            classes,
            hyperparameters: Vec::new(),
            histograms_every: None,
            events: None,
            flushed: now,
            due: now,
            best: None,
            is_best: false,
        })
    }

    /// By which runs are told apart and compared.
    pub fn with_hyperparameters(mut self, values: Vec<(String, HyperParameter)>) -> Self {
        self.hyperparameters = values;
        self
    }

    /// Histograms after every so many epochs.
    pub fn with_histograms_every(mut self, epochs: Option<usize>) -> Self {
        self.histograms_every = epochs;
        self
    }

    fn begin(&mut self, run: &RunInfo) -> io::Result<()> {
        let mut folder = self.folder.clone();
        if run.restarts > 1 {
            folder.push(format!("restart-{}", run.restart));
        }
        let mut events = EventWriter::create(&folder)?;
        let name =
            folder.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        events.hyperparameters(&name, &self.hyperparameters, &METRICS)?;
        events.flush()?;
        self.events = Some(events);
        (self.due, self.best) = (Instant::now(), None);
        Ok(())
    }

    fn epoch(&mut self, record: &EpochRecord) -> io::Result<()> {
        let Some(events) = &mut self.events else { return Ok(()) };
        let values = [
            ("loss/train", Some(record.train_loss)),
            ("loss/valid", record.valid_loss),
            ("accuracy/train", Some(record.train_accuracy)),
            ("accuracy/valid", record.valid_accuracy),
            ("learning_rate", Some(record.learning_rate)),
            ("progress/iterations", Some(record.iterations as f64)),
            ("progress/best", Some(f64::from(record.best))),
            ("progress/seconds", Some(record.seconds)),
            ("progress/rows_per_second", Some(record.rows_per_second)),
            ("progress/waiting", Some(record.waiting)),
        ];
        for (tag, value) in values {
            if let Some(value) = value {
                events.scalar(tag, record.epoch as u64, value)?;
            }
        }
        self.is_best = record.best;
        if self.flushed.elapsed() >= FLUSH_INTERVAL {
            events.flush()?;
            self.flushed = Instant::now();
        }
        Ok(())
    }

    fn network(&mut self, network: &Network<'_>) -> io::Result<()> {
        let epoch = network.epoch();
        if self.is_best {
            let readable = |confusion: &ConfusionMatrix| confusion.num_classes() <= MOST_CELLS;
            self.best = network.confusion().filter(readable).map(|confusion| (epoch, confusion));
        }
        let begun = Instant::now();
        let is_due = match self.histograms_every {
            Some(epochs) => epoch.is_multiple_of(epochs),
            None => begun >= self.due,
        };
        let Some(events) = self.events.as_mut().filter(|_| is_due) else { return Ok(()) };
        for (kind, tensors) in [("weights", network.weights()), ("gradients", network.gradients())]
        {
            for (name, values) in tensors {
                events.histogram(&format!("{kind}/{name}"), epoch as u64, &values)?;
            }
        }
        self.due = Instant::now() + begun.elapsed() * HISTOGRAM_SHARE;
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(mut events) = self.events.take() else { return Ok(()) };
        if let Some((epoch, confusion)) = self.best.take() {
            let png = picture(&confusion, &self.classes);
            // Width and height stand at a fixed place in a PNG's header.
            let side = |at: usize| u32::from_be_bytes(std::array::from_fn(|byte| png[at + byte]));
            events.image("confusion", epoch as u64, &png, side(16), side(20))?;
        }
        events.end()
    }
}

impl Observer for TensorBoard {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        let written = match event {
            Event::Run(run) => self.begin(run),
            Event::Resume { records, .. } => {
                records.iter().try_for_each(|record| self.epoch(record))
            }
            Event::Epoch(record) => self.epoch(record),
            Event::Network(network) => self.network(network),
            Event::Stop { .. } => self.end(),
            _ => Ok(()),
        };
        written.map_err(|source| TrainError::Write { path: self.folder.clone(), source })
    }
}

fn picture(confusion: &ConfusionMatrix, classes: &[String]) -> Vec<u8> {
    let size = confusion.num_classes();
    let names = match classes.len() == size {
        true => classes.to_vec(),
        // All labels together.
        false => vec!["no".to_owned(), "yes".to_owned()],
    };
    let plot = confusion_plot(confusion, names, CellFormat::Count);
    chart("confusion", "Validation rows", "", plot).png()
}
