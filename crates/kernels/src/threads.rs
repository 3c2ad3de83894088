/// Work below which a second thread costs more than it brings: some 30 µs of one core. Within the pool
/// another thread that has not fallen asleep takes its share within a few µs, but both phases of a step wait
/// for the slowest.
const FLOPS_PER_THREAD: usize = 3_000_000;

/// Threads of rayon's pool to use for so much work.
pub(crate) fn threads_for(flops: usize) -> usize {
    (flops / FLOPS_PER_THREAD).clamp(1, rayon::current_num_threads())
}
