use std::sync::{Arc, atomic::AtomicBool};

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Has SIGINT and SIGTERM raise the flag; a second one ends the process at once.
pub(crate) fn on_signals(stop: &Arc<AtomicBool>) -> anyhow::Result<()> {
    [SIGINT, SIGTERM].into_iter().try_for_each(|signal| {
        // In this order: the first finds the flag still down, and raises it.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(stop)))
            .map(drop)
            .context("cannot wait for signals")
    })
}

/// A run that was asked to stop, and did.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Interrupted(pub(crate) String);
