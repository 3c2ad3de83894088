/// Work below which a second thread costs more than it brings: about a fifth of a millisecond of one
/// core. Waking a thread takes some 10 µs, and each phase of a step waits for the slowest.
const FLOPS_PER_THREAD: usize = 15_000_000;

/// Threads of rayon's pool to use for so much work.
pub(crate) fn threads_for(flops: usize) -> usize {
    (flops / FLOPS_PER_THREAD).clamp(1, rayon::current_num_threads())
}
