use std::{
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use kiln_train::{Event, Hooks, Observer, TrainBackend, TrainError};

use super::{
    error::TuneError,
    journal::Journal,
    propose::{Behind, propose},
    search::{Found, Limits, Search, Stopped},
    trial::{Trial, TrialState},
};
use crate::{Settings, TabularError, train};

/// A search that goes on.
pub(super) struct Study<'a> {
    search: Search<'a>,
    /// Of every trial, but for what is searched.
    base: Settings,
    rows: Vec<usize>,
    distance: usize,
    limits: Limits<'a>,
    state: Mutex<State>,
    /// A trial is over, or the search.
    changed: Condvar,
    /// One thread can't go on, and so no other does.
    failed: AtomicBool,
}

struct State {
    journal: Journal,
    /// By number; `None` for those that are not over.
    trials: Vec<Option<Trial>>,
    /// All before it are over or in training.
    next: usize,
    failure: Option<TuneError>,
}

impl<'a> Study<'a> {
    pub(super) fn new(
        search: Search<'a>,
        base: Settings,
        rows: Vec<usize>,
        limits: Limits<'a>,
        journal: Journal,
    ) -> Self {
        let mut trials = vec![None; limits.trials];
        for trial in &journal.trials {
            if let Some(place) = trials.get_mut(trial.trial) {
                *place = Some(trial.clone());
            }
        }
        let distance = journal.distance();
        let state = Mutex::new(State { journal, trials, next: 0, failure: None });
        let (changed, failed) = (Condvar::new(), AtomicBool::new(false));
        Self { search, base, rows, distance, limits, state, changed, failed }
    }

    /// What there is when all threads are done.
    pub(super) fn finish(self) -> Result<Found, TuneError> {
        let stopped = self.stopped().unwrap_or(Stopped::Trials);
        let State { trials, failure, .. } =
            self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = failure {
            return Err(failure);
        }
        let all = trials.iter().all(Option::is_some);
        let trials = trials.into_iter().flatten().collect();
        Ok(Found { trials, stopped: if all { Stopped::Trials } else { stopped } })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> Option<Stopped> {
        if self.limits.interrupted.load(Ordering::Relaxed) {
            return Some(Stopped::Interrupted);
        }
        let passed = self.limits.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        passed.then_some(Stopped::Deadline)
    }

    fn is_over(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.stopped().is_some()
    }

    /// One trial after the other.
    pub(super) fn work<B: TrainBackend>(
        &self,
        device: &B::Device,
        done: &(impl Fn(&Trial) + Sync),
    ) {
        // Who waits for this thread's trial hears of it if it panics.
        let _told = OnPanic(self);
        while let Some((number, seen)) = self.next() {
            let trained = self.train::<B>(number, &seen, device);
            let mut state = self.state();
            let kept = trained.and_then(|trial| {
                if let Some(trial) = &trial {
                    state.journal.append(trial)?;
                }
                Ok(trial)
            });
            match kept {
                Ok(trial) => {
                    trial.iter().for_each(done);
                    state.trials[number] = trial;
                }
                Err(error) => {
                    state.failure.get_or_insert(error);
                    self.failed.store(true, Ordering::Relaxed);
                }
            }
            drop(state);
            self.changed.notify_all();
        }
    }

    /// The next trial and those that it learns of, as soon as they are over.
    fn next(&self) -> Option<(usize, Vec<Trial>)> {
        let mut state = self.state();
        loop {
            let open = (state.next..state.trials.len()).find(|n| state.trials[*n].is_none());
            let number = open.filter(|_| !self.is_over())?;
            let learns_of = (number + 1).saturating_sub(self.distance);
            let seen: Option<Vec<Trial>> = state.trials[..learns_of].iter().cloned().collect();
            if let Some(seen) = seen {
                state.next = number + 1;
                return Some((number, seen));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// `None` if it was cut off by a limit of the search.
    fn train<B: TrainBackend>(
        &self,
        number: usize,
        seen: &[Trial],
        device: &B::Device,
    ) -> Result<Option<Trial>, TuneError> {
        let Search { prepared, validation, space, backend, .. } = self.search;
        let values = propose(space, &self.base, number, seen);
        let settings = space.apply(&self.base, &values);
        let mut watch = Watch {
            study: self,
            behind: Behind::new(seen, settings.train.num_epochs),
            losses: Vec::new(),
            lowest: f64::INFINITY,
            pruned: false,
        };
        let started = Instant::now();
        let hooks = Hooks { observers: &mut [&mut watch], ..Hooks::default() };
        let outcome =
            train::<B>(prepared, &settings, &self.rows, validation, backend, device, hooks);
        let Watch { losses, lowest, pruned, .. } = watch;
        let (state, loss) = match outcome {
            Ok(outcome) => {
                let kept = &outcome.history[outcome.kept_epoch - 1];
                (TrialState::Complete, kept.valid_loss)
            }
            Err(TabularError::Train(TrainError::Ended)) if pruned => {
                (TrialState::Pruned, Some(lowest))
            }
            Err(TabularError::Train(TrainError::Ended)) => return Ok(None),
            Err(TabularError::Train(TrainError::Diverged { .. })) => (TrialState::Diverged, None),
            Err(error) => return Err(error.into()),
        };
        let seconds = started.elapsed().as_secs_f64();
        Ok(Some(Trial { trial: number, state, loss, values, losses, seconds }))
    }
}

struct OnPanic<'a, 'b>(&'a Study<'b>);

impl Drop for OnPanic<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            // Under the lock: who has looked at the flag already waits by now.
            let _state = self.0.state();
            self.0.failed.store(true, Ordering::Relaxed);
            self.0.changed.notify_all();
        }
    }
}

/// Ends a trial that is behind the others, or when the search is over.
struct Watch<'a, 'b> {
    study: &'a Study<'b>,
    behind: Behind,
    losses: Vec<f64>,
    lowest: f64,
    pruned: bool,
}

impl Observer for Watch<'_, '_> {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        match event {
            Event::Iteration { .. } if self.study.is_over() => Err(TrainError::Ended),
            // What is no number ends the trial by itself.
            Event::Validation { epoch, loss, .. } if loss.is_finite() => {
                self.losses.push(*loss);
                self.lowest = self.lowest.min(*loss);
                self.pruned = self.behind.is_at(*epoch, self.lowest);
                if self.pruned { Err(TrainError::Ended) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }
}
