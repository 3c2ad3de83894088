use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::Ranks;
use ::mpi::{
    Threading,
    collective::SystemOperation,
    environment::{self, Universe},
    topology::SimpleCommunicator,
    traits::*,
};

use super::{engine::Start, error::DistributedError, launcher::launched_ranks};

/// MPI counts by 32 bits with a sign.
const MOST_NUMBERS: usize = 1 << 30;
/// How long a rank with an error waits for rank 0 to tell of the same one.
const FOR_RANK_0: Duration = Duration::from_secs(2);

/// This process among those that MPI connects.
pub struct Mpi {
    rank: usize,
    size: usize,
    local_rank: usize,
    /// What has been received.
    numbers: Mutex<Vec<f32>>,
    waiting: Arc<Waiting>,
    /// Dropped last: it ends MPI.
    _universe: Universe,
}

impl Mpi {
    /// Runs `work` in each of the processes, and then waits for all to end theirs.
    ///
    /// An error or a panic ends all processes: `tell` says what to print of it, and gives the exit code.
    /// Rank 0 tells it at once and others a little later, so that what all have found is told once.
    ///
    /// So do processes that are not as many as there are to be, and an MPI library that can't be used.
    ///
    /// # Errors
    ///
    /// [`DistributedError::NoLauncher`]
    pub fn run<T, E>(
        start: Start,
        work: impl FnOnce(&Self) -> Result<T, E>,
        tell: impl Fn(&E) -> (String, i32),
    ) -> Result<T, DistributedError> {
        let expected = start.ranks.or(launched_ranks()).ok_or(DistributedError::NoLauncher)?;
        let mpi = Self::start(expected, start.timeout);
        match catch_unwind(AssertUnwindSafe(|| work(&mpi))) {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                let (text, code) = tell(&error);
                end_all(mpi.rank, &text, code)
            }
            // What the panic says has been printed.
            Err(_) => world().abort(101),
        }
    }

    fn start(expected: usize, timeout: Duration) -> Self {
        let library = || {
            let version = environment::library_version().unwrap_or_default();
            version.split([',', '\n']).next().unwrap_or_default().trim().to_owned()
        };
        // The kernels' steps run in a thread of their pool.
        let (universe, threading) = environment::initialize_with_threading(Threading::Multiple)
            .expect("MPI is started here only");
        let world = universe.world();
        let (rank, found) = (world.rank() as usize, world.size() as usize);
        // To end MPI in order would be to wait for the others, who may not have found the same.
        if threading < Threading::Serialized {
            end_all(rank, &DistributedError::Threads { library: library() }.to_string(), 1);
        }
        if found != expected {
            let error = DistributedError::WrongRanks { found, expected, library: library() };
            end_all(rank, &error.to_string(), 1);
        }
        let local_rank = world.split_shared(world.rank()).rank() as usize;
        let waiting = Arc::new(Waiting::new(timeout));
        let numbers = Mutex::default();
        let mpi = Self { rank, size: found, local_rank, numbers, waiting, _universe: universe };
        mpi.watch();
        mpi
    }

    /// This process among those of its machine, counted from 0: which GPU is its own.
    pub fn local_rank(&self) -> usize {
        self.local_rank
    }

    /// Ends the processes when this one has waited too long for the others: one of them hangs, and would
    /// for ever.
    fn watch(&self) {
        let (waiting, rank) = (Arc::clone(&self.waiting), self.rank);
        thread::spawn(move || {
            loop {
                thread::sleep(waiting.timeout.min(Duration::from_secs(1)) / 2);
                if waiting.is_over() {
                    eprintln!(
                        "error: rank {rank} has waited {} s for the other ranks: one of them hangs, or is \
                         slower than the rank timeout allows",
                        waiting.timeout.as_secs()
                    );
                    // Not MPI_Abort: the main thread is inside MPI, where it may hold what that needs. The
                    // launcher ends the others when a process ends so.
                    process::abort();
                }
            }
        });
    }
}

/// Says what is wrong, and ends all processes.
fn end_all(rank: usize, text: &str, code: i32) -> ! {
    if rank == 0 {
        eprintln!("error: {text}");
    } else {
        thread::sleep(FOR_RANK_0);
        eprintln!("error: rank {rank}: {text}");
    }
    world().abort(code)
}

impl Ranks for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn sum(&self, numbers: &mut [f32]) {
        let mut received = self.numbers.lock().expect("no panic while it is held");
        received.resize(numbers.len(), 0.0);
        let parts = numbers.chunks_mut(MOST_NUMBERS).zip(received.chunks_mut(MOST_NUMBERS));
        let world = world();
        self.waiting.during(|| {
            for (numbers, received) in parts {
                world.all_reduce_into(numbers, received, SystemOperation::sum());
                numbers.copy_from_slice(received);
            }
        });
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) {
        let world = world();
        let root = world.process_at_rank(0);
        let mut len = bytes.len() as u64;
        self.waiting.during(|| {
            root.broadcast_into(&mut len);
            bytes.resize(len as usize, 0);
            bytes.chunks_mut(MOST_NUMBERS).for_each(|part| root.broadcast_into(part));
        });
    }
}

/// All processes. It is not kept, for it may not go from thread to thread.
fn world() -> SimpleCommunicator {
    SimpleCommunicator::world()
}

/// Since when this process waits for others.
#[derive(Debug)]
struct Waiting {
    timeout: Duration,
    start: Instant,
    /// Milliseconds after `start`, and 1; 0 while it does not wait.
    since: AtomicU64,
}

impl Waiting {
    fn new(timeout: Duration) -> Self {
        Self { timeout, start: Instant::now(), since: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_millis() as u64 + 1
    }

    fn during(&self, call: impl FnOnce()) {
        self.since.store(self.now(), Ordering::Relaxed);
        call();
        self.since.store(0, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        let since = self.since.load(Ordering::Relaxed);
        since > 0 && u128::from(self.now().saturating_sub(since)) > self.timeout.as_millis()
    }
}
