use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that all requests together may hold.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    limit: usize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), limit })
    }

    /// A share of nothing, to be extended.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        Share { budget: Arc::clone(self), bytes: 0 }
    }
}

/// Part of a [`Budget`], which it gives back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Share {
    /// Takes more; false if there is no more.
    #[must_use]
    pub(crate) fn extend(&mut self, bytes: usize) -> bool {
        let used = self.budget.used.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        used.saturating_add(bytes) <= self.budget.limit
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_given_back_when_dropped() {
        let budget = Budget::new(10);
        let mut first = budget.share();
        assert!(first.extend(4) && first.extend(6));
        let mut second = budget.share();
        assert!(!second.extend(1));
        drop(second);
        drop(first);
        assert!(budget.share().extend(10));
    }
}
